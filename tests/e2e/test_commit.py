# SPDX-License-Identifier: Apache-2.0
"""commit: an image of a container's changes, as Docker makes it and as Docker reads it."""
import json
import subprocess
import tarfile

import pytest

from harness import faults
from harness.files import members, raw, running

pytestmark = pytest.mark.needs_root

WORK = ("rm -r /tree/sub; mkdir /tree/sub; echo new > /tree/sub/new; rm /tree/a; ln -s sub /tree/a; echo 1 > /tree/h;"
        " ln /tree/h /tree/i; mkfifo /tree/fifo; chmod 4711 /tree/h; chown 7:8 /tree/sub/new; rm /etc/group;"
        " touch /tree/$(printf 'long%.0s' $(seq 50))")
CONFIG = ("Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir", "ExposedPorts", "Volumes", "StopSignal", "Domainname",
          "Tty", "OpenStdin", "AttachStdout", "OnBuild")
# Options of run, options of commit.
CASES = [
    ((), ()),
    (("-e", "A=1", "-w", "/tree", "-u", "0:0", "-l", "x=y"), ("-m", "a message", "-a", "Jane <j@example.com>")),
    (("--entrypoint", "/bin/sh"), ("-c", "CMD [\"echo\", \"x\"]", "-c", "ENV B=2", "-c", "LABEL q=r", "-c", "EXPOSE 80",
                                   "-c", "VOLUME /v", "-c", "USER alice", "-c", "WORKDIR /w" )),
]


def files_of(program, image):
    """The files of an image, without what a start makes."""
    program.ok("create", "--name", "look", "--network", "none", image, "true")
    try:
        found = members(raw(program, "export", "look"))
    finally:
        program.ok("rm", "look")
    own = (".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "dev")
    return {name: what for name, what in found.items() if not name.startswith(own)}


def describe(program, image):
    one = json.loads(program.ok("image", "inspect", image))[0]
    config = {key: one["Config"].get(key) or None for key in CONFIG}
    history = [json.loads(line) for line in
               program.ok("history", "--no-trunc", "--format", "json", image).splitlines()]
    return {"config": config, "author": one["Author"], "comment": one["Comment"], "layers": len(one["RootFS"]["Layers"]),
            "history": [(h["CreatedBy"], h["Comment"]) for h in history]}


@pytest.mark.needs_docker
def test_commit_makes_what_docker_makes(kogge, docker, tree_tar, scratch):
    try:
        for program in (kogge, docker):
            program.ok("import", "-c", "ENV PATH=/bin", "-c", "CMD sh", tree_tar, "tree:1")
            for i, (run, commit) in enumerate(CASES):
                args = ("-c", WORK) if "--entrypoint" in run else ("sh", "-c", WORK)
                program.ok("run", "--name", f"c{i}", "--network", "none", *run, "tree:1", *args)
                program.ok("commit", *commit, f"c{i}", f"new:{i}")
        for i in range(len(CASES)):
            assert describe(kogge, f"new:{i}") == describe(docker, f"new:{i}"), CASES[i]
        ours, theirs = files_of(kogge, "new:0"), files_of(docker, "new:0")
        assert ours == theirs
        # Docker reads what we wrote, whiteouts too.
        kogge.ok("tag", "new:0", "fromkogge:1")
        kogge.ok("save", "-o", scratch / "k.tar", "fromkogge:1")
        docker.ok("load", "-i", scratch / "k.tar")
        assert files_of(docker, "fromkogge:1") == ours
        docker.ok("save", "-o", scratch / "d.tar", "new:1")
        kogge.ok("load", "-i", scratch / "d.tar")
        assert files_of(kogge, "new:1") == ours
    finally:
        for i in range(len(CASES)):
            docker("rm", f"c{i}")
        docker("rmi", "-f", "tree:1", "fromkogge:1", *(f"new:{i}" for i in range(len(CASES))))


def test_an_unchanged_container_becomes_an_image_without_a_layer(box):
    box.ok("create", "--name", "cc", "busybox", "sh")
    box.ok("commit", "cc", "same:1")
    old, new = (json.loads(box.ok("image", "inspect", i))[0]["RootFS"]["Layers"] for i in ("busybox", "same:1"))
    assert old == new
    assert box.ok("history", "-q", "--format", "{{.Size}}", "same:1").split()[0] == "0B"


def test_the_same_changes_give_the_same_layer(box):
    script = "mkdir /d; echo x > /d/f; ln /d/f /d/g; touch -d '2020-01-01 00:00:00' /d/f /d /; rm /bin/vi; touch -d '2020-01-01 00:00:00' /bin"
    layers = set()
    for name in ("one", "two"):
        box.ok("run", "--name", name, "busybox", "sh", "-c", script)
        box.ok("commit", name, name)
        layers.add(json.loads(box.ok("image", "inspect", name))[0]["RootFS"]["Layers"][-1])
    assert len(layers) == 1
    # One blob and one tree for both.
    assert len(list((box.root / "content" / "sha256").glob("*"))) <= 3 + 3 + 2


def test_vfs_commits_the_same_files(kogge, scratch, tree_tar):
    found = []
    for driver in ("overlay", "vfs"):
        kogge.root, kogge.run_root = scratch / driver, scratch / f"{driver}-run"
        kogge.ok("--storage-driver", driver, "import", tree_tar, "tree:1")
        kogge.ok("--storage-driver", driver, "run", "--name", "cc", "tree:1", "sh", "-c", WORK)
        kogge.ok("commit", "cc", "new:1")
        found.append(files_of(kogge, "new:1"))
    assert found[0] == found[1]


def test_a_running_container_is_frozen_while_it_is_committed(box):
    with running(box, "busybox", "sh", "-c", "echo 1 > /f; echo ready; cat"):
        box.ok("commit", "live", "live:1")
        box.ok("commit", "--pause=false", "live", "live:2")
        assert box.inspect("live")["State"]["Paused"] is False
        events = box.ok("events", "--since", "1h", "--until", "0s", "--format", "{{.Action}}").split()
        assert events.count("pause") == events.count("unpause") == 1
        assert events.count("commit") == 2
    assert box.ok("run", "--rm", "live:1", "cat", "/f") == "1\n"


def test_a_commit_that_breaks_off_leaves_nothing(box):
    with running(box, "busybox", "sh", "-c", "echo 1 > /f; echo ready; cat"):
        for point in ("store.tree_tar.entry", "store.commit.layer", "store.commit.config", "store.publish.rows"):
            for action in ("error(EIO)", "kill"):
                result = box("commit", "live", "bad:1", env={"KOGGE_FAILPOINTS": f"{point}={action}"})
                assert result.code != 0, (point, action)
                box("unpause", "live")
        assert "bad" not in box.ok("images")
        box.ok("system", "check")
    box.fails(1, "commit", "absent", saying="no such container")


def test_bad_changes_and_names_are_refused_before_anything_is_made(box):
    box.ok("create", "--name", "cc", "busybox", "sh")
    box.fails(1, "commit", "cc", "UPPER:1", saying="must be lowercase")
    box.fails(1, "commit", "-c", "RUN true", "cc", saying="run is not a valid change command")
    assert len(box.ok("images", "-q").split()) == 1


def test_U10_a_container_cannot_forge_whiteouts(box):
    box.ok("run", "--name", "cc", "busybox", "sh", "-c", "touch /bin/.wh.ls /.wh..wh..opq /etc/.wh.passwd; echo x > /y")
    box.ok("commit", "cc", "new:1")
    assert box.ok("run", "--rm", "new:1", "ls", "/etc/passwd", "/y") == "/etc/passwd\n/y\n"
    archive = box.folder / "new.tar"
    box.ok("save", "-o", archive, "new:1")
    names = []
    with tarfile.open(archive) as tar:
        for m in tar:
            data = tar.extractfile(m).read() if m.isreg() else b""
            if data[:2] == b"\x1f\x8b":
                listed = subprocess.run(["tar", "tz"], input=data, stdout=subprocess.PIPE, check=True).stdout
                names += listed.decode().split()
    assert "y" in names and not [n for n in names if ".wh." in n]


def test_F03_a_full_disk_refuses_a_commit_whole(kogge, busybox_tar, scratch):
    with faults.small_disk(scratch, 64) as disk:
        kogge.root = disk / "root"
        kogge.ok("import", busybox_tar, "busybox")
        kogge.ok("run", "--name", "cc", "busybox", "dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=8")
        for kib in (12288, 6144, 1024, 64):
            filler = faults.leave_free(disk, kib)
            kogge.fails(1, "commit", "cc", "new:1", saying="no space")
            filler.unlink()
            assert "new" not in kogge.ok("images")
            faults.assert_sound(kogge, f"commit with {kib} KiB free")
        kogge.ok("commit", "cc", "new:1")
        assert kogge.ok("run", "--rm", "new:1", "ls", "/big") == "/big\n"
        faults.assert_sound(kogge, "commit")
