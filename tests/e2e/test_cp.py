# SPDX-License-Identifier: Apache-2.0
"""cp in both directions: the same results, exit codes and errors as Docker's, to and from containers
that are stopped, run or are paused; and containers that try to get out by it (E14, E15)."""
import contextlib
import ctypes
import io
import os
import shutil
import stat
import subprocess
import tarfile
import threading

import pytest

from harness.files import members, raw, running

pytestmark = pytest.mark.needs_root

# In the container, and with another owner on the host.
TREE = {
    "t": None, "t/dir": None, "t/dir/one": "1\n", "t/dir/two": "2\n", "t/dir/in": None, "t/dir/in/three": "3\n",
    "t/file": "file\n", "t/empty": None, "t/link": "->file", "t/dlink": "->dir", "t/abs": "->/t/dir",
    "t/broken": "->nowhere", "t/climb": "->../../../../t/dir", "t/chain": "->dlink", "t/loop": "->loop", "etc": None,
    "etc/passwd": "root:x:0:0::/:/bin/sh\nalice:x:1000:1001::/:/bin/sh\n", "etc/group": "alice:x:1001:\n",
}

# What is given to cp; "C:" stands for the container, "H" for a folder on the host.
TO = [
    ("H/file", "C:/t/new"), ("H/file", "C:/t"), ("H/file", "C:/t/"), ("H/file", "C:/t/new/"), ("H/file", "C:/t/file"),
    ("H/file", "C:/t/file/"), ("H/file", "C:/t/no/new"), ("H/file", "C:t/new"), ("H/file", "C:/t/link"),
    ("H/file", "C:/t/dlink"), ("H/file", "C:/t/abs"), ("H/file", "C:/t/climb"), ("H/file", "C:/t/chain"),
    ("H/file", "C:/t/dlink/new"), ("H/file", "C:/t/dir/in"),
    ("H/file", "C:/"), ("H/file", "C:/new"), ("H/file", "C:/t/../new"), ("H/file", "C:/t/."),
    ("H/dir", "C:/t"), ("H/dir", "C:/t/new"), ("H/dir", "C:/t/new/"), ("H/dir", "C:/t/dir"), ("H/dir", "C:/t/dir/"),
    ("H/dir", "C:/t/file"), ("H/dir", "C:/t/dlink"), ("H/dir", "C:/t/no/new"), ("H/dir", "C:/t/empty"),
    ("H/dir/", "C:/t/new"), ("H/dir/", "C:/t/dir"), ("H/dir/.", "C:/t/new"), ("H/dir/.", "C:/t/dir"),
    ("H/dir/.", "C:/t/file"), ("H/dir/.", "C:/t/dlink"), ("H/dir/.", "C:/"), ("H/dir/.", "C:/t/new/."),
    ("H/link", "C:/t/new"), ("H/link", "C:/t"), ("-L", "H/link", "C:/t/new"), ("-L", "H/link", "C:/t"),
    ("H/dlink", "C:/t/new"), ("H/dlink/", "C:/t/new"), ("H/dlink/.", "C:/t/new"), ("H/dlink/", "C:/t/empty"),
    ("-L", "H/dlink", "C:/t/empty"), ("-L", "H/dlink", "C:/t/new"), ("H/broken", "C:/t/new"), ("-L", "H/broken", "C:/t/new"),
    ("H/absent", "C:/t/new"), ("H/file/", "C:/t/new"), ("H/clash", "C:/t"), ("H/over", "C:/t"),
    ("-a", "H/file", "C:/t/new"), ("-a", "H/dir", "C:/t/new"),
]
# Not here: links that climb (Docker's client gives up on "invalid symlink"; we copy them as they are and never follow
# them), and what Docker puts into /etc.
FROM = [
    ("C:/t/file", "H/new"), ("C:/t/file", "H"), ("C:/t/file", "H/"), ("C:/t/file", "H/new/"), ("C:/t/file", "H/file"),
    ("C:/t/file", "H/file/"), ("C:/t/file", "H/no/new"), ("C:t/file", "H/new"), ("C:/t/file", "H/link"),
    ("C:/t/file", "H/dlink"), ("C:/t/file", "H/broken"), ("C:/t/file/", "H/new"), ("C:/t/absent", "H/new"),
    ("C:/t/dir", "H/new"), ("C:/t/dir", "H"), ("C:/t/dir", "H/dir"), ("C:/t/dir/", "H/new"), ("C:/t/dir/.", "H/new"),
    ("C:/t/dir/.", "H/dir"), ("C:/t/dir/.", "H/dir/"), ("C:/t/dir", "H/file"), ("C:/t/dir", "H/no/new"), ("C:/t/dir", "H/new/"),
    ("C:/t/link", "H/new"), ("-L", "C:/t/link", "H/new"), ("-L", "C:/t/link", "H"), ("C:/t/dlink", "H/new"),
    ("C:/t/dlink/", "H/new"), ("C:/t/dlink/.", "H/new"), ("-L", "C:/t/dlink", "H/new"), ("-L", "C:/t/abs", "H"),
    ("-L", "C:/t/climb", "H/new"), ("-L", "C:/t/chain", "H/empty"), ("C:/t/dlink/one", "H/new"), ("C:/t/climb/one", "H/new"),
    ("C:/t/abs/in", "H"), ("C:/t/broken", "H/new"), ("-L", "C:/t/broken", "H/new"), ("-a", "C:/t/dir", "H/new"),
    ("C:/t/../t/file", "H/new"), ("C:/t/dir/in/.", "H/empty"), ("C:/../../t/file", "H/new"),
]
WRONG = [("H/file", "H/new"), ("C:/t/file", "C:/t/new"), ("", "C:/t"), ("C:/t/file", ""), ("C:/t/file",), ("no:/t", "H")]


def make_tree(folder, owner):
    """What is copied from on the host."""
    folder.mkdir()
    (folder / "dir" / "in").mkdir(parents=True)
    (folder / "dir" / "mine").write_text("host\n")
    (folder / "dir" / "one").write_text("host 1\n")
    (folder / "dir" / "in" / "four").write_text("4\n")
    (folder / "empty").mkdir()
    (folder / "file").write_text("host file\n")
    (folder / "file").chmod(0o640)
    for name, target in (("link", "file"), ("dlink", "dir"), ("broken", "nowhere")):
        (folder / name).symlink_to(target)
    (folder / "clash" / "file" / "x").mkdir(parents=True)  # a folder over a file
    (folder / "clash").rename(folder / "t")
    (folder / "clash").mkdir()
    (folder / "t").rename(folder / "clash" / "t")
    (folder / "over").mkdir()
    (folder / "over" / "dir").write_text("file over a folder\n")
    for path in sorted(folder.rglob("*")):
        os.chown(path, owner, owner + 1, follow_symlinks=False)
        os.utime(path, (1000000000, 1000000000), follow_symlinks=False)


@pytest.fixture(scope="session")
def copy_tar(session_folder):
    path = session_folder / "copy.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in TREE.items():
            info = tarfile.TarInfo(name)
            info.mtime, info.mode, info.uid, info.gid = 1000000000, 0o755 if content is None else 0o644, 7, 8
            if content is None:
                info.type = tarfile.DIRTYPE
            elif content.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, content[2:]
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO((content or "").encode()))
    return path


def on_host(folder):
    """{path: (type, mode, owner, content or target)} below FOLDER."""
    found = {}
    for path in sorted(folder.rglob("*")):
        st = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
        mode = 0 if path.is_symlink() else stat.S_IMODE(st.st_mode)
        found[str(path.relative_to(folder))] = (stat.S_IFMT(st.st_mode), mode, st.st_uid, st.st_gid, content)
    return found


def in_container(program, name):
    found = members(raw(program, "export", name))
    own = (".dockerenv", "dev", "proc", "sys", "etc")
    return {n: what for n, what in found.items() if not n.startswith(own)}


def attempt(program, args, scratch):
    """One `cp` between a new container and a new folder: (exit code, files of both, message)."""
    folder = scratch / "h"
    shutil.rmtree(folder, ignore_errors=True)
    make_tree(folder, 5)
    program.ok("create", "--name", "cc", "--network", "none", "copy:1", "true")
    try:
        words = [a.replace("C:", "cc:", 1) if a.startswith("C:") else
                 str(folder) + a[1:] if a == "H" or a.startswith("H/") else a for a in args]
        result = program("cp", *words)
        return result.code, in_container(program, "cc"), on_host(folder), result.err
    finally:
        program.ok("rm", "cc")


@pytest.mark.slow
@pytest.mark.needs_docker
@pytest.mark.timeout(900)
def test_cp_does_what_docker_does(kogge, docker, copy_tar, scratch):
    different = []
    docker.ok("import", copy_tar, "copy:1")
    kogge.ok("import", copy_tar, "copy:1")
    try:
        for args in TO + FROM + WRONG:
            ours, theirs = attempt(kogge, args, scratch), attempt(docker, args, scratch)
            for what, mine, other in zip(("exit code", "container", "host"), ours, theirs):
                if mine != other:
                    different.append(f"cp {' '.join(args)}: {what}: {mine} != {other}\n    ours: {ours[3].strip()}\n"
                                     f"    docker: {theirs[3].strip()}")
    finally:
        docker("rm", "cc")
        docker("rmi", "-f", "copy:1")
    assert not different, "\n".join(different)


def test_archives_go_through_stdin_and_stdout(kogge, copy_tar, scratch):
    kogge.ok("import", copy_tar, "copy:1")
    kogge.ok("create", "--name", "cc", "copy:1", "true")
    found = members(raw(kogge, "cp", "cc:/t/dir", "-"))
    assert sorted(found) == ["dir", "dir/in", "dir/in/three", "dir/one", "dir/two"]
    assert found["dir/one"] == (tarfile.REGTYPE, 0o644, 7, 8, b"1\n")
    assert list(members(raw(kogge, "cp", "cc:/t/link", "-"))) == ["link"]
    archive = raw(kogge, "cp", "cc:/t/dir", "-")
    for compress in (["cat"], ["gzip"], ["zstd", "-q"]):
        data = subprocess.run(compress, input=archive, stdout=subprocess.PIPE, check=True).stdout
        kogge.fails(1, "cp", "-", f"cc:/t/{compress[0]}", input=data, saying="must be a directory")
        kogge.ok("cp", "-", "cc:/t/empty", input=data)
        assert kogge.ok("cp", "cc:/t/empty/dir/one", "-").count("1\n") == 1
    kogge.fails(1, "cp", "-", "cc:/t/file", input=archive, saying="must be a directory")
    kogge.fails(1, "cp", "-", "cc:/t/empty", input=b"no tar" * 200)
    kogge.fails(1, "cp", "-", "cc:/t/empty", input=archive[:700])
    for paths in (("cc:", "."), ("cc:", "-"), ("-", "cc:"), (".", "cc:")):
        kogge.fails(1, "cp", *paths, saying="path cannot be empty")


def test_archives_from_stdin_stay_in_the_container(kogge, copy_tar, canary):
    kogge.ok("import", copy_tar, "copy:1")
    kogge.ok("create", "--name", "cc", "copy:1", "true")
    for bad in ({"name": "../../../../../../" + str(canary)[1:] + "/file"}, {"name": "x", "type": tarfile.LNKTYPE, "linkname": "../../../etc/passwd"}):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            info = tarfile.TarInfo(bad["name"])
            info.type, info.linkname = bad.get("type", tarfile.REGTYPE), bad.get("linkname", "")
            tar.addfile(info)
        kogge.fails(1, "cp", "-", "cc:/t", input=out.getvalue(), saying="leads out")
    # Names below links stay in it, whiteouts are names, and marks of overlayfs are none.
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("climb/through"))
        tar.addfile(tarfile.TarInfo(".wh.file"))
        info = tarfile.TarInfo("marked")
        info.type, info.pax_headers = tarfile.DIRTYPE, {"SCHILY.xattr.trusted.overlay.opaque": "y"}
        tar.addfile(info)
    kogge.ok("cp", "-", "cc:/t", input=out.getvalue())
    assert {line for line in kogge.ok("diff", "cc").splitlines() if line[0] != "C"} == \
        {"A /t/.wh.file", "A /t/dir/through", "A /t/marked"}


def test_cp_a_gives_files_to_the_containers_user(kogge, copy_tar, scratch):
    kogge.ok("import", copy_tar, "copy:1")
    (scratch / "f").write_text("x")
    for i, (user, owner) in enumerate((("alice", (1000, 1001)), ("7:9", (7, 9)), ("alice:8", (1000, 8)))):
        kogge.ok("create", "--name", f"c{i}", "-u", user, "copy:1", "true")
        kogge.ok("cp", "-a", scratch / "f", f"c{i}:/t/f")
        assert members(raw(kogge, "cp", f"c{i}:/t/f", "-"))["f"][2:4] == owner


def test_cp_says_what_it_did_when_asked(kogge, copy_tar, scratch):
    kogge.ok("import", copy_tar, "copy:1")
    kogge.ok("create", "--name", "cc", "copy:1", "true")
    (scratch / "f").write_text("x")
    assert kogge("cp", scratch / "f", "cc:/t").err == ""
    assert kogge("cp", "-q=false", scratch / "f", "cc:/t").err == "Successfully copied 2.05kB to cc:/t\n"
    assert kogge("cp", "-q=false", "cc:/t/f", scratch / "g").err == f"Successfully copied 2.05kB to {scratch}/g\n"
    kogge.fails(1, "cp", scratch / "f", "cc:/t/loop", saying="too many levels")
    kogge.fails(1, "cp", "cc:/t/loop", "/dev/null", saying="must be a directory or a regular file")


def test_a_running_containers_mounts_are_there(box, scratch):
    (scratch / "f").write_text("in\n")
    with running(box, "--tmpfs", "/m", "busybox", "sh", "-c", "echo out > /m/mine; echo ready; cat; cat /m/f > /dev/stderr") as process:
        for paused in (False, True):
            if paused:
                box.ok("pause", "live")
            box.ok("cp", scratch / "f", "live:/m")
            box.ok("cp", "live:/m/mine", scratch / "got")
            assert (scratch / "got").read_text() == "out\n"
            box.ok("cp", "live:/", scratch / "all")
            assert (scratch / "all" / "m" / "f").read_text() == "in\n"
            assert not list((scratch / "all" / "proc").iterdir()), "files of the kernel are left out"
            shutil.rmtree(scratch / "all")
        box.ok("unpause", "live")
        assert process.poll() is None


def test_a_stopped_containers_volumes_are_there(box, scratch):
    (scratch / "f").write_text("in\n")
    (scratch / "host").mkdir()
    (scratch / "host" / "h").write_text("h\n")
    box.ok("create", "--name", "cc", "-v", "vol:/data", "-v", f"{scratch}/host:/data/sub:ro", "-v", f"{scratch}/file:/m",
           "busybox", "sh", "-c", "cat /data/f")
    box.ok("cp", scratch / "f", "cc:/data")
    box.fails(1, "cp", scratch / "f", "cc:/data/sub", saying="mounted volume is marked read-only")
    found = members(raw(box, "cp", "cc:/data", "-"))
    assert sorted(found) == ["data", "data/f", "data/sub", "data/sub/h"]
    assert box.ok("start", "-a", "cc") == "in\n"
    assert sorted(members(raw(box, "cp", "cc:/data", "-"))) == sorted(found)
    assert "data/f" not in members(raw(box, "export", "cc")), "export has no volumes"
    box.ok("commit", "cc", "new:1")
    assert "data/f" not in members(raw(box, "export", "cc"))
    with running(box, "-v", "vol:/data", "busybox", "sh", "-c", "echo ready; cat"):
        box.ok("cp", "live:/data/f", scratch / "again")
        assert (scratch / "again").read_text() == "in\n"


def test_read_only_roots_are_refused_as_docker_does(box, scratch):
    (scratch / "f").write_text("x")
    box.ok("create", "--name", "stopped", "--read-only", "busybox", "true")
    box.fails(1, "cp", scratch / "f", "stopped:/tmp", saying="container rootfs is marked read-only")
    with running(box, "--read-only", "--tmpfs", "/m", "busybox", "sh", "-c", "echo ready; cat"):
        box.fails(1, "cp", scratch / "f", "live:/tmp", saying="container rootfs is marked read-only")
        box.ok("cp", scratch / "f", "live:/m")
        box.ok("cp", "live:/m/f", scratch / "g")


def exchange(pid, stop):
    """Swaps /d/x and /d/y of the container until STOP, as its own processes could."""
    libc = ctypes.CDLL(None)
    folder = os.open(f"/proc/{pid}/root/d", os.O_RDONLY | os.O_DIRECTORY)
    while not stop.is_set():
        libc.renameat2(folder, b"x", folder, b"y", 2)
    os.close(folder)


@contextlib.contextmanager
def racing(box, target):
    """A running container in which /d/x is a folder now and a link to TARGET then."""
    script = f"mkdir -p /d/x; echo mine > /d/x/secret; echo mine > /d/x/file; ln -s {target} /d/y; echo ready; cat"
    with running(box, "busybox", "sh", "-c", script):
        stop = threading.Event()
        racer = threading.Thread(target=exchange, args=(box.inspect("live")["State"]["Pid"], stop))
        racer.start()
        try:
            yield
        finally:
            stop.set()
            racer.join()


@pytest.mark.parametrize("climb", ["", "../../../../../../../.."])
def test_E14_a_container_that_swaps_links_gets_nothing_of_the_host(box, canary, scratch, climb):
    (scratch / "file").write_text("from cp\n")
    (scratch / "out").mkdir()
    copied = 0
    with racing(box, climb + str(canary)):
        for _ in range(60):
            copied += box("cp", scratch / "file", "live:/d/x/new").code == 0
            for what in ("secret", "file", "."):
                box("cp", f"live:/d/x/{what}", scratch / "out")
                raw_out = box("cp", f"live:/d/x/{what}", "-").raw_out
                assert b"only for the host" not in raw_out and b"canary" not in raw_out
            for path in (scratch / "out").rglob("*"):
                if path.is_file() and not path.is_symlink():
                    assert path.read_text() in ("mine\n", "from cp\n"), path
    assert copied > 0
    assert sorted(p.name for p in canary.iterdir()) == ["empty", "file", "link", "secret"]


def test_E14_links_and_files_of_a_container_do_not_write_to_the_host(box, canary, scratch):
    out = scratch / "out"
    out.mkdir()
    script = (f"mkdir /a /b; ln -s {canary} /a/evil; mkdir /b/evil; echo owned > /b/evil/file; mkfifo /a/pipe;"
              f" ln -s {canary}/file /a/direct; echo owned > /b/direct")
    box.ok("run", "--name", "cc", "busybox", "sh", "-c", script)
    box.ok("cp", "cc:/a/.", out)
    assert os.readlink(out / "evil") == str(canary) and stat.S_ISFIFO(os.lstat(out / "pipe").st_mode)
    # The second copy meets the links of the first: a folder does not replace a link, a file does.
    box.fails(1, "cp", "cc:/b/evil", out, saying="cannot overwrite non-directory")
    box.ok("cp", "cc:/b/direct", out / "new")
    box("cp", "cc:/b/.", out)
    assert (canary / "file").read_text() == "canary\n"
    # A link as the target on the host is the user's own and is followed, as Docker follows it.
    (out / "mine").symlink_to(scratch / "there")
    box.ok("cp", "cc:/b/direct", out / "mine")
    assert (scratch / "there").read_text() == "owned\n"


def test_E14_nothing_of_the_container_is_executed_or_loaded(box, scratch, canary):
    """The programs that others called are traps here: decompressors, tar, the name service's libraries."""
    evil = f"#!/bin/sh\ntouch {canary}/owned\n"
    names = ("unpigz", "xz", "tar", "gzip", "zstd", "docker-untar")
    setup = "; ".join(f"printf '{evil}' > /bin/{n}.new; mv /bin/{n}.new /bin/{n}; chmod 755 /bin/{n}" for n in names)
    box.ok("run", "--name", "cc", "-u", "root", "busybox", "sh", "-c", setup.replace("\n", "\\n") +
           "; mkdir -p /lib; echo trap > /lib/libnss_files.so.2")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("f"))
    box.ok("cp", "-a", "-", "cc:/tmp", input=data.getvalue())
    box.ok("cp", "cc:/tmp/f", scratch / "f")
    assert not (canary / "owned").exists()


def test_E15_a_containers_users_are_data_with_limits(box, scratch):
    (scratch / "f").write_text("x")
    box.ok("run", "--name", "big", "-u", "root", "busybox", "sh", "-c", "dd if=/dev/zero of=/etc/passwd bs=1M count=0 seek=4096 2>&1")
    box.fails(1, "cp", "-a", scratch / "f", "big:/tmp", saying="/etc/passwd")
    box.ok("run", "--name", "fifo", "-u", "0:5", "busybox", "sh", "-c", "rm /etc/passwd /etc/group; mkfifo /etc/passwd; ln -s /dev/zero /etc/group")
    box.ok("cp", "-a", scratch / "f", "fifo:/tmp", timeout=20)


def test_a_copy_that_breaks_off_leaves_the_container_usable(box, scratch):
    (scratch / "f").write_text("x")
    box.ok("create", "--name", "cc", "busybox", "true")
    for action in ("error(EIO)", "kill"):
        assert box("cp", "cc:/bin", scratch / "out", env={"KOGGE_FAILPOINTS": f"store.tree_tar.entry={action}@3"}).code != 0
        assert box("cp", scratch, "cc:/tmp", env={"KOGGE_FAILPOINTS": f"store.tree_tar.entry={action}@1"}).code != 0
    box.ok("cp", scratch / "f", "cc:/tmp")
    box.ok("start", "-a", "cc")
    box.ok("rm", "cc")
    box.ok("system", "check")
    assert not list((box.run_root / "containers").glob("*"))
