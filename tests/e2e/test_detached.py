# SPDX-License-Identifier: Apache-2.0
"""Containers in the background: who may die, and what the monitor does at their end."""
import fcntl
import os
import select
import signal
import socket
import subprocess

import pytest
from harness.monitor import monitor_of

pytestmark = pytest.mark.needs_root


def ended(kogge, ident):
    """Waits until nobody holds the container's run directory: its end is done."""
    try:
        with open(kogge.run_root / "containers" / ident / "lock", "rb") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
    except FileNotFoundError:
        pass


def run(kogge, *args):
    return kogge.ok("run", "-d", *args).strip()


def test_run_d_prints_the_id_and_leaves_the_container_running(box):
    ident = run(box, "--name", "web", "busybox", "sleep", "1000")
    assert len(ident) == 64 and box.inspect("web")["Id"] == ident
    assert box.inspect("web")["State"]["Running"] is True
    box.ok("rm", "-f", "web")
    ended(box, ident)


def test_the_monitor_has_a_session_of_its_own_and_nothing_of_its_caller(box, scratch):
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    with theirs:
        ident = box.ok("run", "-d", "busybox", "sleep", "1000", pass_fds=[theirs.fileno()], cwd=scratch).strip()
    pid = monitor_of(ident)
    assert ours.recv(1) == b"", "somebody still holds the caller's descriptor"
    ours.close()
    assert os.getsid(pid) == pid and os.readlink(f"/proc/{pid}/cwd") == "/"
    assert {os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)} == {"/dev/null"}
    box.ok("rm", "-f", ident)
    ended(box, ident)


def test_the_exit_is_recorded_without_any_client(box):
    ident = run(box, "busybox", "sh", "-c", "exit 7")
    assert box.ok("wait", ident) == "7\n"
    ended(box, ident)
    state = box.inspect(ident)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 7)


def test_rm_removes_it_at_its_end(box):
    ident = run(box, "--rm", "busybox", "true")
    ended(box, ident)
    assert box.ok("ps", "-aq") == ""
    assert not [f for f in box.files() if ident in f]


def test_a_start_that_fails_says_why(box):
    result = box.fails(127, "run", "-d", "busybox", "nonexistent", saying="nonexistent")
    assert len(result.out.strip()) == 64
    result = box.fails(127, "run", "-d", "--rm", "busybox", "nonexistent", saying="nonexistent")
    assert result.out.strip() not in box.ok("ps", "-aq", "--no-trunc")


def test_start_starts_several_and_names_those_that_failed(box):
    a, b = (box.ok("create", "--name", n, "busybox", "sleep", "1000").strip() for n in ("aa", "bb"))
    result = box.fails(1, "start", "aa", "none", "bb", saying="failed to start containers: none")
    assert result.out == "aa\nbb\n"
    assert box.ok("start", "aa") == "aa\n", "a start of what runs does nothing"
    assert len(box.ok("ps", "-q").split()) == 2
    box.ok("rm", "-f", "aa", "bb")
    ended(box, a), ended(box, b)


def test_stdin_of_a_detached_container_stays_open(box):
    ident = run(box, "-i", "busybox", "cat")
    assert box.inspect(ident)["State"]["Running"] is True
    ident2 = run(box, "busybox", "cat")
    assert box.ok("wait", ident2) == "0\n", "without -i stdin is empty"
    box.ok("rm", "-f", ident, ident2)
    ended(box, ident)


def test_a_terminal_in_the_background(box):
    ident = run(box, "-t", "busybox", "sh", "-c", "test -t 0 && test -t 1 && exit 3")
    assert box.ok("wait", ident) == "3\n"
    ended(box, ident)


def test_F10_a_killed_monitor_is_noticed_and_nothing_is_left(box):
    ident = run(box, "busybox", "sleep", "1000")
    init = box.inspect(ident)["State"]["Pid"]
    monitor = os.pidfd_open(monitor_of(ident))
    init_fd = os.pidfd_open(init)
    signal.pidfd_send_signal(monitor, signal.SIGKILL)
    ended(box, ident)
    state = box.inspect(ident)["State"]
    assert (state["Status"], state["ExitCode"], state["Running"]) == ("exited", 137, False)
    assert "monitor" in state["Error"]
    assert select.select([init_fd], [], [], 10)[0], "PID 1 still runs"
    os.close(monitor), os.close(init_fd)
    box.ok("rm", ident)


def test_d_and_a_exclude_each_other(box):
    box.fails(1, "run", "-d", "-a", "stdout", "busybox", "true",
              saying="conflicting options: cannot specify both --attach and --detach")


def test_X06_a_reader_that_takes_nothing_does_not_keep_a_killed_container(box):
    client = box.popen("run", "--name", "full", "busybox", "sh", "-c", "while :; do echo y; done", stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"y\n"
    ident = box.inspect("full")["Id"]
    box.ok("rm", "-f", "full")
    ended(box, ident)
    client.stdout.close()
    assert client.wait(20) in (137, 125)


@pytest.mark.parametrize("place", ("engine.remove.ending", "engine.remove.ended"))
@pytest.mark.parametrize("action", ("kill", "error(EIO)"))
def test_a_container_ends_also_where_the_removal_that_does_its_end_is_broken_off(box, place, action):
    ident = run(box, "--name", "one", "--network", "none", "busybox", "sleep", "1000")
    result = box("rm", "-f", "one", env={"KOGGE_FAILPOINTS": f"{place}={action}*1"})
    ended(box, ident)
    if action == "kill":
        assert result.code == -9, result
        listed = box.ok("ps", "-a", "--format", "{{.Names}} {{.State}}").split()
        assert listed == ([] if place.endswith("ended") else ["one", "exited"])
        assert box("rm", "-f", "one").code == 0
    else:
        assert result.code == 0, result
    assert box.ok("ps", "-aq") == ""
    assert not (box.run_root / "containers" / ident).exists()


def test_many_may_remove_a_container_that_runs_at_once(box):
    ident = run(box, "--name", "one", "--network", "none", "busybox", "sleep", "1000")
    removers = [subprocess.Popen([str(a) for a in box.args("rm", "-f", "one")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for _ in range(4)]
    for process in removers:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0 or "no such container" in err.lower(), (out, err)
    assert box.ok("ps", "-aq") == ""
    assert not (box.run_root / "containers" / ident).exists()
