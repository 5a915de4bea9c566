# SPDX-License-Identifier: Apache-2.0
"""Containers that share namespaces: of the caller, or of another process by its path."""
import os
import pathlib
import signal
import subprocess

import pytest

from harness.bundle import wait_gone

pytestmark = pytest.mark.needs_root


def mounts_below(folder, pid="self"):
    text = pathlib.Path(f"/proc/{pid}/mounts").read_text()
    return [line.split()[1] for line in text.splitlines() if line.split()[1].startswith(f"{folder}/")]


def share_mounts(bundle):
    """Without a mount namespace of its own. runc refuses masks then; they do not matter here."""
    linux = bundle.config["linux"]
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "mount"]


def test_container_in_the_callers_mount_namespace(bundle):
    share_mounts(bundle)
    (bundle.rootfs / "marker").write_text("root of the container\n")
    os.mkfifo(bundle.rootfs / "ready")
    assert bundle.create("/bin/sh", "-c", "cat /marker; pwd; mount | wc -l; : >/ready; sleep 100") == 0
    pid = bundle.state()["pid"]
    assert os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    assert os.readlink(f"/proc/{pid}/root") == str(bundle.rootfs)
    assert str(bundle.rootfs / "proc") in mounts_below(bundle.folder)
    assert bundle.runtime("start", bundle.id).code == 0
    assert (bundle.rootfs / "ready").read_text() == ""  # it has come so far
    bundle.delete()
    wait_gone(pid)
    assert mounts_below(bundle.folder) == [] and bundle.out.startswith("root of the container\n/\n")


@pytest.mark.parametrize("point", ["runtime.create.after_intent", "runtime.create.after_plan"])
@pytest.mark.parametrize("action", ["kill", "error(EIO)"])
def test_F01_mounts_of_a_killed_create_are_taken_off(bundle, point, action):
    share_mounts(bundle)
    # The caller's own mount at the same place stays.
    subprocess.run(["mount", "--bind", bundle.rootfs, bundle.rootfs], check=True)
    try:
        code = bundle.create("/bin/true", env={**os.environ, "KOGGE_FAILPOINTS": f"{point}={action}"})
        assert code == (-signal.SIGKILL if action == "kill" else 1), bundle.out
        bundle.delete()
        assert mounts_below(bundle.folder) == [str(bundle.rootfs)]
        assert bundle.leftovers() == []
    finally:
        subprocess.run(["umount", bundle.rootfs], check=True)


def test_container_joins_a_mount_namespace(bundle):
    other = subprocess.Popen(["unshare", "-m", "sh", "-c", "echo ready; read x"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"ready\n"
        for ns in bundle.config["linux"]["namespaces"]:
            if ns["type"] == "mount":
                ns["path"] = f"/proc/{other.pid}/ns/mnt"
        assert bundle.ok("readlink /proc/self/ns/mnt; ls -d /proc/1").split() == \
            [os.readlink(f"/proc/{other.pid}/ns/mnt"), "/proc/1"]
        assert mounts_below(bundle.folder) == []
        # Who shares the namespace keeps its root.
        assert os.readlink(f"/proc/{other.pid}/root") == "/"
    finally:
        other.communicate(b"\n")


def test_mounts_are_listed_in_the_order_of_the_configuration(bundle, canary):
    """The kernel lists them by age, and binds were made first."""
    for i, options in enumerate((["rbind"], ["bind", "unbindable"], ["rbind", "rshared", "ro"], ["bind", "slave"])):
        bundle.config["mounts"].append({"destination": f"/b{i}", "type": "bind", "source": str(canary), "options": options})
        bundle.config["mounts"].append({"destination": f"/t{i}", "type": "tmpfs", "source": "tmpfs"})
    (bundle.rootfs / "b").mkdir()
    for hooks in ({}, {"createRuntime": [{"path": "/bin/true"}]}):
        bundle.config["hooks"] = hooks
        table = [line.split() for line in bundle.ok("cat /proc/self/mountinfo; ls -di / /.. >&2").splitlines()]
        places = [line[4] for line in table if line[4][1:2] in ("b", "t")]
        assert places == [f"/{kind}{i}" for i in range(4) for kind in "bt"], places
        kinds = {line[4]: line[6] for line in table}
        assert kinds["/b1"] == "unbindable" and kinds["/b2"].startswith("shared:") and kinds["/b0"] == "-"
