# SPDX-License-Identifier: Apache-2.0
"""diff and export: what a container changed, and its files as a tar archive; the same as Docker's."""
import pytest

from harness.files import members, raw, running

pytestmark = pytest.mark.needs_root

# Each is one container's work on the image of `tree_tar`.
CHANGES = {
    "nothing": "true",
    "added": "mkdir -p /new/deep; echo x > /new/deep/file; mkfifo /new/fifo; ln -s a /new/link",
    "changed": "echo more >> /etc/passwd; chmod 600 /etc/group; chown 5:6 /tree/a",
    "removed": "rm /tree/a; rm -r /tree/sub",
    "replaced": "rm -r /tree/sub; mkdir /tree/sub; echo new > /tree/sub/new; rm /tree/a; mkdir /tree/a",
    "directory by file": "rm -r /tree/sub; echo file > /tree/sub",
    "file by directory": "rm /tree/a; mkdir -p /tree/a/b/c",
    "empty directory": "rm -r /tree/sub; mkdir /tree/sub",
    "hard links": "ln /tree/a /tree/b; echo 1 > /tree/c; ln /tree/c /tree/sub/d",
    "touched": "touch -d '2020-01-01 00:00:00' /tree/a; touch /tree/sub",
    "modes": "chmod 4755 /tree/a; chmod 1777 /tree/sub",
    "there and gone": "mkdir /x; touch /x/y; rm -r /x; mkdir /tree/t; rmdir /tree/t",
    "moved": "mv /tree/sub /tree/other",
    "long name": "mkdir /l; cd /l; touch $(printf 'n%.0s' $(seq 200)); touch 'a b\tc'",
}


def run_changes(program, extra=(), names=CHANGES):
    """Makes a container for each of CHANGES; {name: diff as a set of lines}."""
    found = {}
    for i, (what, script) in enumerate(names.items()):
        program.ok("run", "--name", f"c{i}", "--network", "none", *extra, "tree:1", "sh", "-c", script)
        found[what] = sorted(line for line in program.ok("diff", f"c{i}").splitlines())
    return found


@pytest.mark.needs_docker
def test_diff_and_export_are_those_of_docker(kogge, docker, tree_tar):
    for program in (kogge, docker):
        program.ok("import", tree_tar, "tree:1")
    try:
        ours, theirs = run_changes(kogge), run_changes(docker)
        for what in CHANGES:
            assert ours[what] == theirs[what], what
        for i, what in enumerate(CHANGES):
            mine, other = members(raw(kogge, "export", f"c{i}")), members(raw(docker, "export", f"c{i}"))
            # What each makes for its own mounts.
            own = {".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "dev/console", "dev/pts",
                   "dev/shm", "dev/mqueue"}
            for name in own:
                mine.pop(name, None)
                other.pop(name, None)
            assert mine.keys() == other.keys(), what
            for name in mine:
                assert mine[name] == other[name], (what, name)
    finally:
        for i in range(len(CHANGES)):
            docker("rm", f"c{i}")
        docker("rmi", "-f", "tree:1")


def test_vfs_tells_the_same_changes(kogge, scratch, tree_tar):
    kogge.ok("import", tree_tar, "tree:1")
    overlay = run_changes(kogge)
    kogge.root, kogge.run_root = scratch / "vfs", scratch / "vfs-run"
    args = kogge.args
    kogge.args = lambda *rest: [args()[0], "--storage-driver", "vfs", *args(*rest)[1:]]
    kogge.ok("import", tree_tar, "tree:1")
    assert run_changes(kogge) == overlay


def test_a_running_container_is_exported_without_its_mounts(box):
    script = "echo 1 > /t/hidden; mkdir /d; echo 2 > /d/f; echo ready; cat"
    with running(box, "--tmpfs", "/t", "busybox", "sh", "-c", script):
        found = members(raw(box, "export", "live"))
        assert found["d/f"][4] == b"2\n"
        assert "t" in found and "t/hidden" not in found
        assert not any(name.startswith(("proc/", "sys/", "dev/")) for name in found)
        assert box.ok("diff", "live") == "A /d\nA /d/f\nA /t\n"


def test_export_to_a_file_that_fails_leaves_none(box, scratch):
    out = scratch / "out.tar"
    box.fails(1, "export", "-o", out, "absent", saying="no such container")
    assert not out.exists()
    box.ok("create", "--name", "cc", "busybox", "sh")
    box.ok("export", "-o", out, "cc")
    assert "bin/busybox" in members(out.read_bytes())
    box.fails(1, "export", "-o", scratch / "no" / "out.tar", "cc", saying="opening")
    assert box.ok("diff", "cc") == ""
    again = scratch / "again.tar"
    box.ok("export", "-o", again, "cc")
    assert again.read_bytes() == out.read_bytes(), "the same files give the same bytes"
    broken = box("export", "-o", scratch / "broken.tar", "cc",
                 env={"KOGGE_FAILPOINTS": "store.tree_tar.entry=error(EIO)@7"})
    assert broken.code == 1 and not (scratch / "broken.tar").exists()
    assert not list((box.run_root / "containers").glob("*")), "the run directory was made for the lock alone"
