# SPDX-License-Identifier: Apache-2.0
"""Clients of a container that runs already."""
import os
import pty
import signal
import subprocess

import pytest
from test_detached import ended, run

pytestmark = pytest.mark.needs_root


def attached(kogge, count):
    """Waits until so many have attached."""
    events = kogge.popen("events", "--since", "1h", "--filter", "event=attach", stdout=subprocess.PIPE)
    for _ in range(count):
        events.stdout.readline()
    events.terminate()
    events.communicate()


def test_several_see_the_same_and_get_the_exit_code(box):
    ident = run(box, "-i", "busybox", "sh", "-c", "read x; echo got $x; echo err >&2; exit 5")
    watchers = [box.popen("attach", "--no-stdin", ident, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    attached(box, 3)
    feeder = box.popen("attach", ident, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert feeder.communicate(b"it\n", timeout=20) == (b"got it\n", b"err\n")
    for watcher in watchers:
        assert watcher.communicate(timeout=20) == (b"got it\n", b"err\n")
        assert watcher.returncode == 5
    ended(box, ident)


def test_a_stopped_client_does_not_stop_the_container(box):
    ident = run(box, "-i", "busybox", "sh", "-c", "read x; seq 1 400000; exit 6")
    slow = box.popen("attach", "--no-stdin", ident, stdout=subprocess.PIPE)
    feeder = box.popen("attach", ident, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    attached(box, 2)
    os.kill(slow.pid, signal.SIGSTOP)
    feeder.stdin.write(b"\n")
    feeder.stdin.flush()
    assert box.ok("wait", ident) == "6\n"
    assert box.ok("logs", "--tail", "1", ident) == "400000\n"
    os.kill(slow.pid, signal.SIGCONT)
    slow.kill()
    slow.communicate(timeout=20)
    feeder.communicate(timeout=20)
    ended(box, ident)


def test_keys_leave_and_the_next_client_goes_on(box):
    ident = run(box, "-it", "busybox", "sh", "-c", "while read x; do echo got $x; done")
    for word in (b"one", b"two"):
        master, slave = pty.openpty()
        client = box.popen("attach", ident, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        os.write(master, word + b"\n")
        seen = b""
        while b"got " + word not in seen:
            seen += os.read(master, 4096)
        os.write(master, b"\x10\x11")
        assert client.wait(20) == 0
        os.close(master)
    assert box.inspect(ident)["State"]["Running"] is True
    box.ok("rm", "-f", ident)
    ended(box, ident)


def test_sig_proxy_and_what_cannot_be_attached(box):
    ident = run(box, "busybox", "sh", "-c", "trap 'exit 9' USR1; echo up; while :; do sleep 0.05; done")
    client = box.popen("attach", "--no-stdin", ident, stdout=subprocess.PIPE)
    attached(box, 1)
    client.send_signal(signal.SIGUSR1)
    assert client.wait(20) == 9
    client.communicate()
    ended(box, ident)
    box.fails(1, "attach", ident, saying="You cannot attach to a stopped container, start it first")
    box.fails(1, "attach", "nobody", saying="no such container")


def test_start_a_of_what_runs_attaches(box):
    ident = run(box, "-i", "--name", "runs", "busybox", "sh", "-c", "read x; echo $x; exit 2")
    client = box.popen("start", "-ai", "runs", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.communicate(b"word\n", timeout=20)[0] == b"word\n"
    assert client.returncode == 2
    ended(box, ident)
