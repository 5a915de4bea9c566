# SPDX-License-Identifier: Apache-2.0
"""`kogge` itself where openat2, clone3 and the new mount calls are denied, as on kernels before 5.2 or
below the filters of other container engines (harness/old_kernel.py)."""
import subprocess
import sys

import pytest

from harness import old_kernel
from harness.waiting import until

pytestmark = [pytest.mark.needs_root, pytest.mark.skipif(old_kernel.missing() is not None, reason=str(old_kernel.missing()))]
OLD = [sys.executable, old_kernel.__file__]


def on_old_kernel(kogge):
    """All of its commands run so from now on."""
    plain = kogge.args
    kogge.args = lambda *args: [*OLD, *plain(*args)]
    return kogge


@pytest.fixture(params=["made there", "made by a new kernel"])
def old(kogge, busybox_tar, request):
    """A store of each kind: on such a kernel it has the driver vfs; else overlay, where the machine has it."""
    if request.param == "made there":
        found = on_old_kernel(kogge)
        found.ok("import", busybox_tar, "busybox")
        return found
    kogge.ok("import", busybox_tar, "busybox")
    return on_old_kernel(kogge)


def mounts():
    with open("/proc/self/mounts", encoding="ascii") as f:
        return f.read().count("\n")


def test_a_container_runs_in_its_own_root(old, scratch):
    (scratch / "given").write_text("given\n")
    before = mounts()
    out = old.ok("run", "--rm", "--network", "none", "-v", f"{scratch}:/in:ro", "-v", "vol:/etc", "-w", "/a/b", "busybox", "sh", "-c",
                 "cat /in/given; pwd; touch /in/no 2>/dev/null || echo read-only; echo kept >/etc/f; ls / | wc -l")
    assert out.splitlines()[:3] == ["given", "/a/b", "read-only"]
    assert old.ok("run", "--rm", "--network", "none", "-v", "vol:/v", "busybox", "sh", "-c", "cat /v/f; ls /v").splitlines()[0] == "kept"
    assert old.ok("ps", "-aq") == ""
    assert mounts() == before, "the host's mount table has grown"
    assert "0 damaged" in old.ok("system", "check")


def test_a_container_is_restarted_and_its_files_are_reached(old, scratch):
    old.ok("run", "-d", "--name", "one", "--network", "none", "--restart", "on-failure:1", "busybox", "sh", "-c",
           "echo run >> /log; until [ -e /go ]; do sleep 0.02; done; rm /go; exit 2")
    for restarts in range(2):
        until(lambda n=restarts: old.inspect("one")["RestartCount"] == n and old("exec", "one", "touch", "/go").code == 0)
    old.ok("wait", "one")
    until(lambda: old.inspect("one")["State"]["Status"] == "exited")
    assert old.inspect("one")["RestartCount"] == 1
    assert old.ok("cp", "one:/log", "-") and old.ok("cp", "one:/log", scratch / "log") == ""
    assert (scratch / "log").read_text() == "run\nrun\n"
    old.ok("cp", scratch / "log", "one:/log2")
    tar = subprocess.run(["tar", "t"], input=old("export", "one").raw_out, stdout=subprocess.PIPE, check=True).stdout
    assert b"log2\n" in tar
    assert "A /log2" in old.ok("diff", "one").splitlines()
    old.ok("commit", "one", "again")
    assert old.ok("run", "--rm", "--network", "none", "again", "cat", "/log2") == "run\nrun\n"
    old.ok("rm", "one")
    old.ok("rmi", "again")
