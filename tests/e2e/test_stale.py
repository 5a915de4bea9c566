# SPDX-License-Identifier: Apache-2.0
"""What our commands find when the world has changed under them: processes that are gone, their
numbers given to others, programs replaced, run directories swept, calls that are interrupted or
fail for want of memory."""
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from harness import faults, program
from harness.bundle import wait_gone
from harness.monitor import monitor_of

pytestmark = pytest.mark.needs_root
SHELL = ["busybox", "sh", "-c"]


@pytest.fixture
def victim():
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("verb", [["kill"], ["stop", "-t", "1"], ["rm", "-f"], ["exec", "{}", "true"], ["top"], ["pause"], ["restart", "-t", "0"]])
def test_F08_a_process_id_that_was_given_to_another(box, victim, verb):
    """The row says that it runs, with the number of a process that is not the container's."""
    box.ok("run", "-d", "--name", "stale", "--network", "none", "busybox", "sleep", "1000")
    info = box.inspect("stale")
    for pid in (monitor_of(info["Id"]), info["State"]["Pid"]):
        os.kill(pid, signal.SIGKILL)
        wait_gone(pid)
    with sqlite3.connect(box.root / "kogge.db") as db:
        doc = json.loads(db.execute("SELECT doc FROM containers").fetchone()[0])
        doc["State"]["Pid"] = victim.pid
        db.execute("UPDATE containers SET doc = ?", (json.dumps(doc),))
    db.close()
    args = [w.format("stale") for w in verb]
    box(*args, *([] if "stale" in args else ["stale"]), timeout=30)
    assert victim.poll() is None
    box("rm", "-f", "stale")
    assert box.ok("ps", "-aq") == "" and victim.poll() is None
    with open(f"/proc/{victim.pid}/stat", encoding="utf-8") as f:
        assert f.read().split()[2] == "S"


def test_F08_F15_a_run_directory_that_was_swept(box):
    """As by a cleaner of temporary files, with the container running: nothing lies, all is removed."""
    box.ok("run", "-d", "--name", "swept", "--network", "none", "busybox", "sleep", "1000")
    pid = box.inspect("swept")["State"]["Pid"]
    shutil.rmtree(box.run_root / "containers")
    box.ok("ps", "-a")
    box("rm", "-f", "swept", timeout=30)
    assert box.ok("ps", "-aq") == ""
    wait_gone(pid)


def test_F09_programs_that_are_replaced_while_containers_run(box):
    """An upgrade: the old files are gone, the new ones go on with what runs."""
    old = box.folder / "old"
    old.mkdir()
    for p in program.PROGRAMS.glob("kogge*"):
        if p.is_file() and os.access(p, os.X_OK):
            shutil.copy(p, old)
    new, box.program = box.program, old / "kogge"
    box.ok("run", "-d", "--name", "goes-on", "--network", "none", *SHELL, "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done")
    box.ok("run", "--name", "by-policy", "-d", "--restart", "always", "--network", "none", *SHELL, "sleep 0.2")
    shutil.rmtree(old)
    box.program = new
    assert box.ok("exec", "goes-on", "echo", "there") == "there\n"
    attached = box.popen("attach", "--no-stdin", "--sig-proxy=false", "goes-on", stdout=subprocess.PIPE)
    assert attached.stdout.readline().strip().isdigit()
    attached.kill()
    attached.communicate()
    box.ok("stop", "-t", "0", "goes-on", timeout=30)
    numbers = [int(n) for n in box.ok("logs", "goes-on").split()]
    assert numbers == list(range(len(numbers))) and numbers
    box.ok("rm", "-f", "goes-on", "by-policy", timeout=30)
    assert box.ok("ps", "-aq") == ""


# -- calls that fail ------------------------------------------------------------------------------

def injected(box, inject, *args, timeout=120):
    """Runs a command with calls that fail as strace's --inject says; (exit code, standard error)."""
    quiet = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + inject.split(":")[0], "-e", f"inject={inject}"]
    done = subprocess.run([*quiet, *box.args(*args)], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def strace(need_tool):
    if program.SANITIZED:
        pytest.skip("a sanitizer's own calls would fail, too")
    return need_tool("strace")


@pytest.mark.parametrize("call,step", [("read", 3), ("write", 2), ("recvmsg", 2), ("sendmsg", 2), ("poll", 2), ("ppoll", 2), ("epoll_wait", 2),
                                       ("flock", 2), ("wait4", 2), ("waitid", 2)])
def test_F04_interrupted_calls(box, strace, call, step):
    """Every so many of them returns EINTR: nobody sees it."""
    code, out, err = injected(box, f"{call}:error=EINTR:when=2+{step}", "run", "--rm", "--network", "none", *SHELL, "echo whole; exit 7")
    assert (code, out) == (7, "whole\n"), err
    faults.assert_sound(box, call)


def limited(box, kib, *args):
    """Runs a command that gets at most KIB of address space, with all that it starts."""
    limit = (kib << 10, kib << 10)
    return box(*args, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit))


@pytest.mark.skipif(program.SANITIZED, reason="a sanitizer needs terabytes of address space")
@pytest.mark.parametrize("args", [["ps", "-a"], ["images"], ["run", "--rm", "--network", "none", "busybox", "true"]])
def test_F05_memory_that_is_not_there(box, args):
    """An error, or success where it was not needed; never a crash, and nothing damaged."""
    codes = set()
    least = next(kib for kib in range(3000, 20000, 10) if limited(box, kib, "--version").code == 0)
    for kib in [*range(least, least + 1000, 20), least + 20000]:
        result = limited(box, kib, *args)
        assert result.code in (0, 1, 125, 127), f"{kib} KiB: {result}"
        assert result.code == 0 or result.err, f"{kib} KiB: {result}"
        codes.add(result.code)
    assert 0 in codes and len(codes) > 1, codes
    for name in box.ok("ps", "-aq").split():
        box.ok("rm", "-f", name)
    assert box.ok("run", "--rm", "--network", "none", "busybox", "echo", "works") == "works\n"
    faults.assert_sound(box, "memory")
