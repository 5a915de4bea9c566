# SPDX-License-Identifier: Apache-2.0
"""Hostile layers against kogge-unpack (families U01 to U23 of docs/SECURITY.md, as far as they are
about layers). Archives are made byte by byte, because no tar program writes what is tested here.
Each refusal stands beside a twin that must be accepted."""
import gzip
import hashlib
import io
import os
import pathlib
import random
import shutil
import stat
import struct
import subprocess
import tarfile
import time

import pytest

from harness import program

pytestmark = pytest.mark.needs_root

MUST = 0x1F if not program.SANITIZED else 0x17  # enum unpack_confined; no filter under sanitizers
BLOCK = 512


# --- archives ---------------------------------------------------------------------------------

def number(value, width):
    """Octal where it fits, else GNU's base 256."""
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return b"\x80" + value.to_bytes(width - 1, "big", signed=False)


def header(name, kind=b"0", size=0, link=b"", mode=0o644, uid=0, gid=0, major=0, minor=0, mtime=1000):
    block = bytearray(BLOCK)
    name, link = (os.fsencode(x) if isinstance(x, str) else x for x in (name, link))
    fields = [(0, name[:100]), (100, number(mode, 8)), (108, number(uid, 8)), (116, number(gid, 8)),
              (124, number(size, 12)), (136, number(mtime, 12)), (148, b" " * 8), (156, kind),
              (157, link[:100]), (257, b"ustar\x0000"), (329, number(major, 8)), (337, number(minor, 8))]
    for offset, data in fields:
        block[offset:offset + len(data)] = data
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % BLOCK)


def file(name, data=b"", **fields):
    data = data.encode() if isinstance(data, str) else data
    return header(name, size=len(data), **fields) + padded(data)


def folder(name, mode=0o755, **fields):
    return header(name, b"5", mode=mode, **fields)


def symlink(name, target):
    return header(name, b"2", link=target, mode=0o777)


def hardlink(name, target):
    return header(name, b"1", link=target)


def char(name, major, minor, **fields):
    return header(name, b"3", major=major, minor=minor, **fields)


def record(key, value):
    value = value if isinstance(value, bytes) else str(value).encode()
    body = b" " + key.encode() + b"=" + value + b"\n"
    size = len(body)
    while len(str(size)) + len(body) != size:
        size = len(str(size)) + len(body)
    return str(size).encode() + body


def pax(records, kind=b"x"):
    data = b"".join(record(k, v) for k, v in records.items())
    return header("pax", kind, size=len(data)) + padded(data)


def long_name(name, kind=b"L"):
    name = os.fsencode(name) if isinstance(name, str) else name
    return header("././@LongLink", kind, size=len(name) + 1) + padded(name + b"\0")


END = bytes(2 * BLOCK)


# --- the program ------------------------------------------------------------------------------

def driver():
    path = program.MESON / "src/unpack/test-unpack-driver"
    if path.exists():
        return path
    pytest.skip("test-unpack-driver is not built")


class Unpacker:
    def __init__(self, root):
        self.root = root
        root.mkdir(mode=0o755, exist_ok=True)

    def run(self, data, mode="overlay", limits=(), end=True):
        data = data if not isinstance(data, (list, tuple)) else b"".join(data)
        return program.run([driver(), program.PROGRAMS / "kogge-unpack", mode, self.root, *limits],
                           input=data + (END if end else b""))

    def accepts(self, *parts, **options):
        result = self.run(parts, **options)
        assert result.code == 0, str(result)
        said = dict(word.split("=") for word in result.out.split())
        assert int(said["confined"]) & MUST == MUST
        return said

    def refuses(self, *parts, kinds=("hostile", "invalid", "not-found", "limit", "corrupt", "unsupported"), **options):
        result = self.run(parts, **options)
        assert result.code == 1, str(result)
        assert result.out.split()[0] in kinds, result.out
        assert all(32 <= ord(c) < 127 or c == "\n" for c in result.out), repr(result.out)
        return result.out

    def read(self, name):
        return (self.root / name).read_bytes().decode()

    def names(self):
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*"))


@pytest.fixture
def layer(scratch, canary, host_unchanged):
    return Unpacker(scratch / "layer")


def is_whiteout(path):
    st = path.lstat()
    return stat.S_ISCHR(st.st_mode) and st.st_rdev == 0


def is_opaque(path):
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


# --- U01 to U03: names and links ----------------------------------------------------------------

@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../x", "a/../../../../x", "./../x"])
def test_U01_names_that_climb_out_are_refused(layer, name):
    layer.refuses(folder("a/"), file(name, "x"), kinds=("hostile",))
    assert layer.names() in (["a"], [])


@pytest.mark.parametrize("name", ["/x", "./x", "a/../x", "//x", "././/x", "/a/./../x"])
def test_U01_names_that_stay_inside_are_accepted(layer, name):
    layer.accepts(folder("a/"), file(name, "x"))
    assert layer.read("x") == "x"


def test_U02_writing_through_links_stays_inside(layer, canary):
    out = os.fsencode(str(canary))
    layer.accepts(folder("d/"), symlink("d/abs", out), symlink("d/up", b"../../../../../../" + out),
                  symlink("d/chain", "abs"), folder(out + b"/"),
                  file("d/abs/file", "1"), file("d/up/f2", "2"), file("d/chain/f3", "3"))
    inside = str(canary).lstrip("/")
    assert [layer.read(f"{inside}/{n}") for n in ("file", "f2", "f3")] == ["1", "2", "3"]


def test_U02_var_run_works(layer):
    layer.accepts(folder("run/"), folder("var/"), symlink("var/run", "/run"), file("var/run/pid", "1"))
    assert layer.read("run/pid") == "1"


def test_U02_a_file_on_a_link_replaces_the_link(layer, canary):
    layer.accepts(symlink("link", os.fsencode(str(canary / "file"))), file("link", "mine"))
    assert layer.read("link") == "mine" and not (layer.root / "link").is_symlink()


def test_U02_link_loops_are_refused(layer):
    layer.refuses(symlink("a", "b"), symlink("b", "a"), file("a/x", "x"))


def test_U03_a_link_of_a_lower_layer_leads_nowhere_on_the_host(layer, canary):
    out = os.fsencode(str(canary))
    layer.accepts(symlink("d", out))
    result = layer.run([file("d/file", "x")], mode="apply")
    assert result.code in (0, 1)
    layer.run([file("d/.wh.secret", "")], mode="apply")
    assert (canary / "secret").exists()


@pytest.mark.parametrize("entry", [symlink("./", "/etc"), file("/", "x"), file(".", "x"), symlink("a/..", "/"),
                                   hardlink(".", "a"), char("./.", 1, 3)])
def test_U04_the_root_stays_a_directory(layer, entry):
    layer.refuses(folder("a/"), entry)


def test_U04_the_root_takes_attributes(layer):
    layer.accepts(folder("./", mode=0o711, uid=5, gid=6, mtime=77))
    st = layer.root.stat()
    assert (st.st_mode & 0o7777, st.st_uid, st.st_gid, st.st_mtime) == (0o711, 5, 6, 77)


# --- U05 to U09: hard links, replacement ----------------------------------------------------------

@pytest.mark.parametrize("how", ["{}", "../../../../../..{}", "/../..{}", "d/../..{}"])
def test_U05_hard_links_to_the_host_are_refused(layer, canary, how):
    layer.refuses(folder("d/"), hardlink("h", how.format(canary / "file")), kinds=("hostile", "not-found"))
    assert (canary / "file").stat().st_nlink == 1


def test_U05_hard_links_through_links_stay_inside(layer, canary):
    layer.refuses(symlink("s", os.fsencode(str(canary))), hardlink("h", "s/file"), kinds=("not-found",))
    assert (canary / "file").stat().st_nlink == 1


@pytest.mark.parametrize("target", ["/d/f", "d/f", "./d/../d/f", "s/f"])
def test_U06_hard_links_inside_are_accepted(layer, target):
    layer.accepts(folder("d/"), symlink("s", "/d"), file("d/f", "x"), hardlink("h", target))
    assert (layer.root / "h").stat().st_ino == (layer.root / "d/f").stat().st_ino


def test_U06_a_hard_link_to_itself_keeps_the_file(layer):
    layer.accepts(file("f", "x"), hardlink("f", "f"), hardlink("./f", "/f"))
    assert layer.read("f") == "x"


def test_U07_a_hard_link_to_a_link_is_the_link(layer, canary):
    secret = os.fsencode(str(canary / "secret"))
    layer.accepts(symlink("s", secret), header("h", b"1", link=b"s", mode=0o777, uid=7))
    assert os.readlink(layer.root / "h") == str(canary / "secret")
    layer.accepts(file("h", "mine", mode=0o777))
    assert (canary / "secret").stat().st_mode & 0o777 == 0o400
    assert layer.read("h") == "mine"


def test_U05_hard_links_to_directories_and_whiteouts_are_refused(layer):
    layer.refuses(folder("d/"), hardlink("h", "d"), kinds=("hostile",))
    layer.refuses(file(".wh.gone"), hardlink("h2", "gone"), kinds=("hostile",))


def test_U08_every_type_replaces_every_other(layer):
    kinds = {"file": lambda n: file(n, "x"), "dir": lambda n: folder(n + "/") + file(n + "/in", "x"),
             "link": lambda n: symlink(n, "t"), "fifo": lambda n: header(n, b"6"),
             "char": lambda n: char(n, 1, 3), "hard": lambda n: hardlink(n, "target")}
    parts = [file("target", "t")]
    for first, make_first in kinds.items():
        for second, make_second in kinds.items():
            parts += [make_first(f"{first}-{second}"), make_second(f"{first}-{second}")]
    layer.accepts(*parts)
    test = {"file": stat.S_ISREG, "dir": stat.S_ISDIR, "link": stat.S_ISLNK, "fifo": stat.S_ISFIFO,
            "char": stat.S_ISCHR, "hard": stat.S_ISREG}
    for first in kinds:
        for second in kinds:
            assert test[second]((layer.root / f"{first}-{second}").lstat().st_mode), (first, second)


def test_U08_a_directory_on_a_directory_keeps_children_and_takes_attributes(layer):
    layer.accepts(folder("d/", mode=0o700), file("d/f", "x"), folder("d/", mode=0o2751, uid=3, mtime=55))
    st = (layer.root / "d").stat()
    assert (st.st_mode & 0o7777, st.st_uid, st.st_mtime) == (0o2751, 3, 55) and layer.read("d/f") == "x"


def test_U08_a_replaced_directory_is_not_written_to(layer, canary):
    """The directory is remembered open; after its replacement by a link names lead elsewhere."""
    layer.accepts(folder("a/"), folder("a/b/"), file("a/b/1", "1"), folder("t/"), symlink("a/b", "/t"),
                  file("a/b/2", "2"), folder("a/b/"), file("a/b/3", "3"))
    assert layer.read("t/2") == "2" and layer.read("a/b/3") == "3" and not (layer.root / "a/b/1").exists()


def test_U09_nothing_is_changed_by_path(layer):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if program.SANITIZED:
        pytest.skip("a sanitizer's own calls would be in the way")
    data = b"".join([folder("d/", mode=0o2755, uid=1), file("d/f", "x", mode=0o4755, uid=2), symlink("d/s", "f"),
                     header("d/p", b"6", uid=3), char("d/c", 1, 3), pax({"SCHILY.xattr.user.a": "b"}), file("d/x")])
    trace = layer.root.parent / "trace"
    program.run(["strace", "-f", "-o", trace, "-e",
                 "trace=chmod,fchmodat,chown,lchown,fchownat,utimensat,setxattr,lsetxattr,openat,open",
                 driver(), "-", "overlay", layer.root], input=data + END)
    calls = [line.split(None, 1)[1] for line in trace.read_text().splitlines() if "+++" not in line]
    begin = next(i for i, c in enumerate(calls) if str(layer.root) in c) + 1
    for call in calls[begin:]:
        name, arguments = call.split("(", 1)
        where = arguments.split(", ")
        if name == "openat":
            assert "AT_FDCWD" not in where[0] and "/" not in where[1], call
        elif name in ("fchownat", "utimensat"):
            assert where[1] in ('""', "NULL"), call
        else:
            pytest.fail(call)
    assert (layer.root / "d/f").stat().st_mode & 0o7777 == 0o4755


# --- U10 to U12: whiteouts ------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["overlay", "apply"])
@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh..", "d/.wh...", "d/.wh..wh.x", ".wh.a/b"])
def test_U10_malformed_whiteouts_are_refused(layer, name, mode):
    (layer.root / "keep").mkdir()
    layer.refuses(folder("d/"), file(name), mode=mode, kinds=("hostile",))
    assert (layer.root / "keep").exists()


def test_U10_proper_whiteouts_are_accepted(layer):
    layer.accepts(folder("d/"), file("d/.wh.f"), file(".wh....x"), file(".wh..wh.plnk"), file(".wh..wh.aufs"))
    assert is_whiteout(layer.root / "d/f") and is_whiteout(layer.root / "...x")
    assert layer.names() == ["...x", "d", "d/f"]


def lower_tree(root):
    for name in ("d/old", "d/sub/deep", "f", "gone/x", "keep/k"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("lower")


# What a layer above lower_tree makes visible; the twin by overlay and by apply must agree.
UPPERS = {
    "whiteouts": ([file(".wh.f"), file(".wh.gone"), file("new", "n")],
                  ["d", "d/old", "d/sub", "d/sub/deep", "keep", "keep/k", "new"]),
    "opaque first": ([folder("d/"), file("d/.wh..wh..opq"), file("d/new", "n")],
                     ["d", "d/new", "f", "gone", "gone/x", "keep", "keep/k"]),
    "opaque last": ([folder("d/"), file("d/new", "n"), folder("d/sub/"), file("d/sub/n", "n"), file("d/.wh..wh..opq")],
                    ["d", "d/new", "d/sub", "d/sub/n", "f", "gone", "gone/x", "keep", "keep/k"]),
    "same layer file": ([file("f", "upper"), file(".wh.f")],
                        ["d", "d/old", "d/sub", "d/sub/deep", "f", "gone", "gone/x", "keep", "keep/k"]),
    "same layer directory": ([folder("d/"), file("d/new", "n"), file(".wh.d")],
                             ["d", "d/new", "f", "gone", "gone/x", "keep", "keep/k"]),
    "whiteout then directory": ([file(".wh.d"), folder("d/"), file("d/new", "n")],
                                ["d", "d/new", "f", "gone", "gone/x", "keep", "keep/k"]),
    "whiteout then file": ([file(".wh.gone"), file("gone", "n")],
                           ["d", "d/old", "d/sub", "d/sub/deep", "f", "gone", "keep", "keep/k"]),
    "whiteout without directory entry": ([file("d/sub/.wh.deep")],
                                         ["d", "d/old", "d/sub", "f", "gone", "gone/x", "keep", "keep/k"]),
    "file over directory": ([file("d", "n")], ["d", "f", "gone", "gone/x", "keep", "keep/k"]),
    "directory over file": ([folder("f/"), file("f/in", "n")],
                            ["d", "d/old", "d/sub", "d/sub/deep", "f", "f/in", "gone", "gone/x", "keep", "keep/k"]),
    "whiteout of nothing": ([file(".wh.none"), file("none2/.wh.x")],
                            ["d", "d/old", "d/sub", "d/sub/deep", "f", "gone", "gone/x", "keep", "keep/k", "none2"]),
}


@pytest.mark.parametrize("case", UPPERS)
def test_U11_whiteouts_hide_exactly_the_lower_layers_applied(layer, case):
    parts, want = UPPERS[case]
    lower_tree(layer.root)
    layer.accepts(*parts, mode="apply")
    # An overlay must have the folder, because a layer below may.
    assert layer.names() == [name for name in want if name != "none2"]


@pytest.mark.parametrize("case", UPPERS)
def test_U11_umoci_sees_the_same(scratch, canary, host_unchanged, case):
    if not shutil.which("umoci"):
        pytest.skip("umoci is not installed")
    parts, want = UPPERS[case]
    lower, out = scratch / "lower", scratch / "out"
    lower.mkdir()
    lower_tree(lower)
    subprocess.run(["tar", "-C", lower, "-cf", scratch / "1.tar", "."], check=True)
    (scratch / "2.tar").write_bytes(b"".join(parts) + END)
    for command in (["init", "--layout", "image"], ["new", "--image", "image:x"],
                    ["raw", "add-layer", "--image", "image:x", "1.tar"],
                    ["raw", "add-layer", "--image", "image:x", "2.tar"], ["raw", "unpack", "--image", "image:x", "out"]):
        subprocess.run(["umoci", *command], cwd=scratch, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*")) == [name for name in want if name != "none2"]


@pytest.mark.parametrize("case", UPPERS)
def test_U11_whiteouts_hide_exactly_the_lower_layers_overlay(layer, scratch, case):
    parts, want = UPPERS[case]
    lower, merged = scratch / "lower", scratch / "merged"
    lower.mkdir()
    merged.mkdir()
    lower_tree(lower)
    layer.accepts(*parts)
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layer.root}:{lower}", merged], check=True)
    try:
        # overlayfs lists whiteouts that hide nothing, but does not find them.
        found = sorted(str(p.relative_to(merged)) for p in merged.rglob("*") if os.path.lexists(p))
    finally:
        subprocess.run(["umount", merged], check=True)
    assert found == want


def test_U11_an_opaque_root_is_reported(layer):
    said = layer.accepts(file("a", "x"), file(".wh..wh..opq"))
    assert said["opaque_root"] == "1" and is_opaque(layer.root)
    assert layer.accepts(folder("d/"), file("d/.wh..wh..opq"))["opaque_root"] == "0"


def test_U11_an_opaque_root_applied_removes_what_is_below(layer):
    lower_tree(layer.root)
    layer.accepts(file("d/new", "x"), file(".wh..wh..opq"), mode="apply")
    assert layer.names() == ["d", "d/new"]


def test_U11_an_opaque_mark_through_a_link_stays_inside(layer, canary):
    out = os.fsencode(str(canary))
    layer.accepts(symlink("s", out), folder(out + b"/"), file("s/.wh..wh..opq"))
    assert not is_opaque(canary) and is_opaque(layer.root / str(canary).lstrip("/"))


def test_U11_many_opaque_marks_do_not_block(layer):
    parts = [folder(f"d{i}/") + file(f"d{i}/.wh..wh..opq") for i in range(2000)]
    layer.accepts(*parts)
    layer2 = Unpacker(layer.root.parent / "feed")
    layer2.accepts(*parts, mode="feed-overlay")
    for root in (layer.root, layer2.root):
        assert all(is_opaque(root / f"d{i}") for i in range(2000))


def test_U12_a_forged_whiteout_is_refused(layer):
    layer.refuses(char("f", 0, 0), kinds=("hostile",))
    layer.accepts(char("f", 1, 3), header("b", b"4", major=0, minor=0))


@pytest.mark.parametrize("name", ["trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy",
                                  "trusted.overlay.whiteout", "trusted.overlay.origin", "user.overlay.opaque",
                                  "user.overlay.whiteout", "trusted.any", "security.selinux", "system.sockprotoname"])
def test_U12_smuggled_attributes_are_stripped(layer, name):
    said = layer.accepts(pax({"SCHILY.xattr." + name: "y"}), folder("d/"), pax({"SCHILY.xattr." + name: "y"}), file("f"))
    assert said["xattrs_dropped"] == "2"
    assert os.listxattr(layer.root / "d") == [] and os.listxattr(layer.root / "f") == []


def test_U12_plain_attributes_are_kept(layer):
    caps = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
    layer.accepts(pax({"SCHILY.xattr.user.note": b"a\0b", "SCHILY.xattr.security.capability": caps}),
                  file("f", "x", mode=0o755, uid=9))
    assert os.getxattr(layer.root / "f", "user.note") == b"a\0b"
    assert os.getxattr(layer.root / "f", "security.capability") == caps


# --- U13 to U19: fields, extended headers, names -----------------------------------------------------

def test_U13_devices_fifos_and_setuid_are_kept(layer):
    layer.accepts(char("null", 1, 3, mode=0o666, uid=1), header("disk", b"4", major=8, minor=1, mode=0o660),
                  header("pipe", b"6", mode=0o600, gid=2), file("su", "x", mode=0o6755, uid=5, gid=6),
                  folder("tmp/", mode=0o1777))
    st = {p.name: p.lstat() for p in layer.root.iterdir()}
    assert (os.major(st["null"].st_rdev), os.minor(st["null"].st_rdev), st["null"].st_uid) == (1, 3, 1)
    assert stat.S_ISBLK(st["disk"].st_mode) and stat.S_ISFIFO(st["pipe"].st_mode) and st["pipe"].st_gid == 2
    assert (st["su"].st_mode & 0o7777, st["su"].st_uid, st["su"].st_gid) == (0o6755, 5, 6)
    assert st["tmp"].st_mode & 0o7777 == 0o1777


def test_U13_setgid_and_default_acl_directories_do_not_change_what_is_in_them(layer):
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", t, p, 0xFFFFFFFF) for t, p in ((1, 7), (4, 0), (32, 0)))
    layer.accepts(folder("g/", mode=0o2775, gid=50), file("g/f", "x", mode=0o664), folder("g/d/", mode=0o755),
                  pax({"SCHILY.xattr.system.posix_acl_default": acl}), folder("a/"), file("a/f", "x", mode=0o666))
    assert (layer.root / "g/f").stat().st_gid == 0 and (layer.root / "g/d").stat().st_gid == 0
    assert (layer.root / "g/d").stat().st_mode & 0o7777 == 0o755
    assert (layer.root / "a/f").stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize("size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\x80\0\0\0\x7f" + b"\xff" * 7, b"-0000000001", b"9999"])
def test_U14_impossible_sizes_are_refused(layer, size):
    layer.refuses(header("f", size=size))


def test_U14_a_pax_size_wins_and_inner_entries_never_appear(layer):
    inner = file("smuggled", "x")
    layer.accepts(pax({"size": len(inner)}), header("outer", size=0) + inner, file("next", "x"))
    assert layer.names() == ["next", "outer"]
    layer.refuses(header("l", b"2", link=b"t", size=len(inner)) + inner, kinds=("hostile",))
    assert "smuggled" not in layer.names()


@pytest.mark.parametrize("owner", [2 ** 32, 2 ** 32 - 1, 2 ** 63, -1])
@pytest.mark.parametrize("key", ["uid", "gid"])
def test_U15_owners_beyond_32_bits_are_refused(layer, key, owner):
    layer.refuses(pax({key: owner}), file("f"), kinds=("hostile",))
    if owner == 2 ** 32:
        layer.refuses(file("f", **{key: owner}), kinds=("hostile",))


def test_U15_large_owners_are_accepted(layer):
    layer.accepts(pax({"uid": 2 ** 32 - 2}), file("a"), file("b", uid=2 ** 31, gid=70000))
    assert (layer.root / "a").stat().st_uid == 2 ** 32 - 2
    assert ((layer.root / "b").stat().st_uid, (layer.root / "b").stat().st_gid) == (2 ** 31, 70000)


def test_U16_hostile_extended_headers_are_refused(layer):
    layer.refuses(header("p", b"x", size=64 << 20), bytes(64 << 20), kinds=("limit",))
    layer.refuses(header("n", b"L", size=64 << 20), bytes(64 << 20), kinds=("limit",))
    layer.refuses(pax({"path": "x"}, b"g"), file("f"), kinds=("hostile",))
    layer.refuses(*[pax({"a": "b"}, b"g")] * 20000, file("f"), kinds=("limit",))
    layer.refuses(header("p", b"x", size=20) + padded(b"999 path=x\n"), file("f"))
    layer.accepts(pax({"comment": "x" * 500000}), file("f", "x"), pax({"comment": "git"}, b"g"), file("g"))


def test_U17_hostile_sparse_files_are_refused(layer):
    eight_tib = 8 << 40
    layer.refuses(pax({"GNU.sparse.size": eight_tib, "GNU.sparse.map": "0,1"}), file("s", "x"), kinds=("limit",))
    layer.refuses(pax({"GNU.sparse.major": 1, "GNU.sparse.minor": 0, "GNU.sparse.name": "s", "GNU.sparse.realsize": 9}),
                  file("x", padded(b"1000000000\n")), kinds=("limit",))
    layer.refuses(pax({"GNU.sparse.size": 100, "GNU.sparse.map": "0,2,1,2"}), file("s", "abcd"), kinds=("hostile",))
    layer.refuses(pax({"GNU.sparse.size": 100, "GNU.sparse.map": "-1,1"}), file("s", "a"), kinds=("invalid",))


@pytest.mark.parametrize("options", [["--format=gnu"], ["--format=pax", "--sparse-version=0.0"],
                                     ["--format=pax", "--sparse-version=0.1"], ["--format=pax", "--sparse-version=1.0"]])
def test_U17_sparse_files_of_gnu_tar_are_accepted(layer, scratch, options):
    source = scratch / "sparse"
    with open(source, "wb") as f:
        for i in range(60):
            f.seek(i * 100000)
            f.write(b"data%d" % i)
        f.truncate(10000000)
    made = subprocess.run(["tar", "-C", scratch, "-S", *options, "-cf", "-", "sparse"], check=True, stdout=subprocess.PIPE)
    layer.accepts(made.stdout, end=False)
    assert (layer.root / "sparse").read_bytes() == source.read_bytes()
    assert (layer.root / "sparse").stat().st_blocks * 512 < 5000000


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b"\x1b[31m", b"case", b"CASE", "é".encode(), "e\u0301".encode(),
                                  b"a b", b"-rf", b"x" * 255, b"tmp", b"layer", b"...", b"a\\b"])
def test_U18_names_keep_their_bytes(layer, name):
    layer.accepts(long_name(name), file("short", "x"))
    assert os.listdir(os.fsencode(layer.root)) == [name]


@pytest.mark.parametrize("name", [b"x" * 256, b"y" * 10000, b"a/" * 4096 + b"f", b"d/" + b"z" * 300])
def test_U18_names_that_no_file_can_have_are_refused(layer, name):
    layer.refuses(pax({"path": name}), file("short", "x"))


def test_U18_deep_trees_are_made_and_can_be_removed(layer):
    deep = b"d/" * 2000
    layer.accepts(long_name(deep + b"f"), file("x", "x"), symlink("s", deep), long_name(b"s/" + deep + b"g"), file("x", "x"))
    layer.accepts(file("d", "now a file"))
    assert layer.names() == ["d", "s"]


def test_U18_hostile_names_in_messages_are_escaped(layer):
    out = layer.refuses(folder("d/"), long_name(b"d/\x1b]0;x\x07" + b"n" * 300), file("x"))
    assert "\\x1b" in out


@pytest.mark.parametrize("cut", [1, 511, 513, 1030])
def test_U19_truncated_archives_are_refused(layer, cut):
    data = file("a", "x" * 600) + file("b", "y" * 600)
    layer.refuses(data[:len(data) - cut], end=False, kinds=("corrupt",))


def test_U19_an_archive_without_an_end_is_accepted(layer):
    layer.accepts(file("a", "x"), end=False)
    layer.accepts(b"", end=False)


def test_U19_what_follows_the_end_is_hashed_and_never_unpacked(layer):
    data = file("a", "x") + END + file("hidden", "x") + END + b"garbage"
    said = layer.accepts(data, end=False)
    assert layer.names() == ["a"]
    assert said["diff_id"] == hashlib.sha256(data).hexdigest() and int(said["diff_size"]) == len(data)


# --- U20, U21: compression --------------------------------------------------------------------------

def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def test_U20_gzip_streams_that_are_whole_are_accepted(layer):
    data = file("a", "x" * 3000) + END
    member = gzip.compress(data[:1000], mtime=0) + gzip.compress(data[1000:], mtime=0)
    said = layer.accepts(member, end=False)
    assert said["compression"] == "gzip" and said["diff_id"] == hashlib.sha256(data).hexdigest()
    assert int(said["input_size"]) == len(member)
    named = io.BytesIO()
    with gzip.GzipFile("some-name", "wb", fileobj=named) as f:
        f.write(data)
    layer.accepts(named.getvalue(), end=False)


@pytest.mark.parametrize("spoil", [lambda d: d[:-1], lambda d: d[:-9], lambda d: d[:-8] + b"\0" * 4 + d[-4:],
                                   lambda d: d[:-4] + b"\0" * 4, lambda d: d + b"garbage",
                                   lambda d: d[:3] + b"\xe0" + d[4:], lambda d: d[:200] + b"\xff" * 8 + d[208:],
                                   lambda d: d[:3] + b"\x08" + d[4:10] + b"n" * (4 << 20) + b"\0" + d[10:]],
                         ids=["cut by 1", "cut trailer", "crc", "isize", "garbage", "flags", "middle", "4 MiB name"])
def test_U20_damaged_gzip_is_refused(layer, spoil):
    data = gzip.compress(file("a", os.urandom(3000)) + END, mtime=0)
    layer.refuses(spoil(data), end=False, kinds=("corrupt", "limit"))


def test_U20_zstd_and_what_is_not_read(layer):
    data = file("a", "x" * 3000) + END
    assert layer.accepts(b"\x50\x2a\x4d\x18\4\0\0\0skip" + zstd(data), end=False)["compression"] == "zstd"
    layer.refuses(zstd(data, "--check")[:-1], end=False, kinds=("corrupt",))
    layer.refuses(zstd(data) + b"garbage", end=False, kinds=("corrupt",))
    layer.refuses(b"\xfd7zXZ\0" + bytes(100), end=False)


def bomb(size):
    """A header that promises SIZE zero bytes, and they."""
    return header("bomb", size=size), size


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_U21_bombs_end_at_the_limit_in_little_memory(layer, scratch, how):
    path = scratch / "bomb"
    compress = subprocess.Popen([how, "-q", "-c"] if how == "zstd" else ["gzip", "-1", "-c"], stdin=subprocess.PIPE,
                                stdout=open(path, "wb"))
    compress.stdin.write(header("bomb", size=1 << 30))
    for _ in range(1024):
        compress.stdin.write(bytes(1 << 20))
    compress.stdin.write(END)
    compress.stdin.close()
    assert compress.wait() == 0
    for limits in ([64 << 20, 0, 0, 0], [0, 0, 50, 32 << 20]):
        with open(path, "rb") as f:
            result = program.run([driver(), program.PROGRAMS / "kogge-unpack", "overlay", layer.root, *limits], input=f)
        assert result.code == 1 and result.out.startswith("limit"), str(result)
    assert (layer.root / "bomb").stat().st_size <= 65 << 20 if (layer.root / "bomb").exists() else True


def test_U21_a_zstd_window_of_terabytes_is_refused(layer):
    layer.refuses(b"\x28\xb5\x2f\xfd\x00" + bytes([31 << 3]) + b"\x01\0\0", end=False, kinds=("corrupt",))
    layer.accepts(zstd(file("a", "x") + END, "--long=27"), end=False)


def test_U21_limits_of_inodes_and_bytes(layer):
    many = [file(f"f{i}", "12345") for i in range(20)]
    layer.refuses(*many, limits=[0, 19, 0, 0], kinds=("limit",))
    layer.accepts(*many, limits=[0, 20, 0, 0])
    layer.refuses(*many, limits=[99, 0, 0, 0], kinds=("limit",))
    layer.accepts(*many, limits=[1 << 20, 0, 0, 0])
    layer.refuses(long_name(b"a/" * 1000 + b"f"), file("x"), limits=[0, 500, 0, 0], kinds=("limit",))


# --- the whole ------------------------------------------------------------------------------------

def describe(root):
    """Everything that tar keeps, by name."""
    found = {}
    for path in [root, *root.rglob("*")]:
        st = path.lstat()
        what = os.readlink(path) if path.is_symlink() else \
            hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(st.st_mode) else st.st_rdev
        found[str(path.relative_to(root))] = (st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_mtime_ns, what,
                                              tuple((x, os.getxattr(path, x, follow_symlinks=False))
                                                    for x in os.listxattr(path, follow_symlinks=False)))
    return found


@pytest.mark.parametrize("form", ["gnu", "pax", "ustar"])
@pytest.mark.parametrize("mode", ["overlay", "apply", "feed-overlay"])
def test_the_result_is_what_gnu_tar_makes(layer, scratch, form, mode):
    source = scratch / "source"
    source.mkdir()
    chance = random.Random(7)
    for i in range(300):
        path = source / "/".join(f"dir{chance.randrange(5)}" for _ in range(chance.randrange(4))) / f"name{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = chance.randrange(6)
        if kind == 0:
            path.symlink_to(f"../name{i - 1}")
        elif kind == 1:
            os.mkfifo(path)
        elif kind == 2:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        else:
            path.write_bytes(bytes(chance.randrange(256) for _ in range(chance.randrange(3000))))
            if kind == 3:
                os.link(path, str(path) + "-link")
        os.chown(path, chance.randrange(70000), chance.randrange(70000), follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(chance.choice([0o644, 0o755, 0o4755, 0o2711, 0o400]))
        os.utime(path, ns=(0, chance.randrange(1 << 60)), follow_symlinks=False)
    archive, peer = scratch / "archive", scratch / "peer"
    subprocess.run(["tar", "-C", source, f"--format={form}", "-cf", archive, "."], check=True)
    peer.mkdir()
    subprocess.run(["tar", "-C", peer, "--numeric-owner", "-xpf", archive], check=True)
    with open(archive, "rb") as f:
        result = program.run([driver(), program.PROGRAMS / "kogge-unpack", mode, layer.root], input=f)
    assert result.code == 0, str(result)
    ours, theirs = describe(layer.root), describe(peer)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name] == theirs[name], name


def test_a_tar_of_python_and_its_times_come_back(layer):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, mtime in (("before", -1.5), ("long" * 60, 1234567890.123456)):
            info = tarfile.TarInfo(name)
            info.mtime = mtime
            tar.addfile(info)
    layer.accepts(out.getvalue(), end=False)
    assert (layer.root / "before").stat().st_mtime == -1.5
    assert abs((layer.root / ("long" * 60)).stat().st_mtime - 1234567890.123456) < 1e-5


def test_noise_never_crashes_it(layer):
    base = b"".join([folder("d/"), file("d/f", "x" * 700), pax({"path": "q" * 200, "mtime": "1.5"}), file("x", "y"),
                     symlink("s", "d"), hardlink("h", "d/f"), file("d/.wh.z"), long_name(b"l" * 150), file("y", "z")]) + END
    chance = random.Random(time.time_ns())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        data = bytearray(base)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        for at in range(0, len(data), BLOCK):
            if data[at + 257:at + 262] == b"ustar":
                data[at + 148:at + 156] = b" " * 8
                data[at + 148:at + 156] = b"%06o\0 " % sum(data[at:at + BLOCK])
        result = layer.run([bytes(data)], end=False)
        assert result.code in (0, 1) and not result.out.startswith("internal"), (str(result), bytes(data))


def test_a_killed_child_is_an_error_not_a_hang(scratch, host_unchanged):
    (scratch / "l").mkdir()
    result = program.run([driver(), "/bin/true", "overlay", scratch / "l"], input=END)
    assert result.code == 1 and result.out.startswith("internal")
    result = program.run([driver(), "/bin/true", "feed-overlay", scratch / "l"], input=bytes(10 << 20))
    assert result.code == 1 and result.out.startswith("internal")
    assert pathlib.Path(scratch / "l").exists()
