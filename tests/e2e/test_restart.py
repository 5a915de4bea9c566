# SPDX-License-Identifier: Apache-2.0
"""Restart policies."""
import subprocess

import pytest
from harness.monitor import monitor_of
from harness.waiting import until
from test_detached import ended, run

pytestmark = pytest.mark.needs_root


def restarts(kogge, ident, count):
    """Waits for that many start events."""
    process = kogge.popen("events", "--since", "1h", "--filter", f"container={ident}", "--filter", "event=start",
                          "--format", "json", stdout=subprocess.PIPE)
    for _ in range(count):
        assert process.stdout.readline()
    process.terminate()
    process.communicate()


def test_on_failure_so_often_and_no_more(box):
    ident = run(box, "--restart", "on-failure:2", "busybox", "sh", "-c", "echo run; exit 3")
    assert box.ok("wait", ident) == "3\n", "waits for the last exit"
    ended(box, ident)
    info = box.inspect(ident)
    assert (info["RestartCount"], info["State"]["Status"], info["State"]["ExitCode"]) == (2, "exited", 3)
    assert info["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert box.ok("logs", ident) == "run\n" * 3


def test_on_failure_leaves_success_alone(box):
    ident = run(box, "--restart", "on-failure", "busybox", "true")
    assert box.ok("wait", ident) == "0\n"
    ended(box, ident)
    assert box.inspect(ident)["RestartCount"] == 0


def test_always_goes_on_until_it_is_stopped(box):
    ident = run(box, "--restart", "always", "busybox", "sh", "-c", "exit 1")
    restarts(box, ident, 3)
    box.ok("stop", ident)
    ended(box, ident)
    info = box.inspect(ident)
    assert info["State"]["Status"] == "exited" and info["RestartCount"] >= 2
    box.ok("start", ident)
    assert box.inspect(ident)["RestartCount"] <= 1, "a start by hand counts anew"
    box.ok("rm", "-f", ident)
    ended(box, ident)


def test_it_is_the_same_monitor_process(box):
    ident = run(box, "--restart", "always", "busybox", "sh", "-c", "sleep 0.1; exit 1")
    first = monitor_of(ident)
    restarts(box, ident, 2)
    assert monitor_of(ident) == first
    box.ok("rm", "-f", ident)
    ended(box, ident)


def test_the_states_between(box):
    ident = run(box, "--restart", "always", "busybox", "false")
    restarts(box, ident, 5)  # by now it waits for more than a second
    while box.inspect(ident)["State"]["Status"] != "restarting":
        pass
    state = box.inspect(ident)["State"]
    assert (state["Running"], state["Restarting"], state["Pid"]) == (True, True, 0)
    assert "Restarting (1)" in box.ok("ps")
    box.fails(1, "exec", ident, "true", saying="is restarting, wait until the container is running")
    box.ok("stop", ident)
    ended(box, ident)
    assert box.inspect(ident)["State"]["Status"] == "exited"


def test_the_foreground_returns_at_the_first_exit(box):
    assert box("run", "--name", "front", "--restart", "on-failure:1", "busybox", "sh", "-c", "echo x; exit 4").code == 4
    box.ok("wait", "front")
    ident = box.inspect("front")["Id"]
    ended(box, ident)
    assert box.inspect("front")["RestartCount"] == 1


@pytest.mark.parametrize("args, message", [
    (["--restart", "sometimes"], "invalid restart policy: unknown policy 'sometimes'"),
    (["--restart", "on-failure:x"], "maximum retry count must be an integer"),
    (["--restart", "always:3"], "maximum retry count can only be used with 'on-failure'"),
    (["--restart", "always", "--rm"], "conflicting options: cannot specify both --restart and --rm"),
])
def test_mistakes(box, args, message):
    box.fails(125, "run", *args, "busybox", "true", saying=message)


def test_a_boot_starts_what_should_run(box):
    always = run(box, "--name", "always", "--restart", "always", "busybox", "sleep", "1000")
    stopped = run(box, "--name", "stopped", "--restart", "unless-stopped", "busybox", "sleep", "1000")
    unless = run(box, "--name", "unless", "--restart", "unless-stopped", "busybox", "sleep", "1000")
    never = run(box, "--name", "never", "busybox", "sleep", "1000")
    box.ok("stop", "-t", "0", "stopped")
    # What a reboot does: every process is gone, and so is the run directory.
    import os
    import shutil
    import signal
    for ident in (always, unless, never):
        os.kill(monitor_of(ident), signal.SIGKILL)
        ended(box, ident)
    shutil.rmtree(box.run_root)
    assert sorted(box.ok("__boot").split()) == ["always", "unless"]
    assert sorted(box.ok("ps", "--format", "{{.Names}}").split()) == ["always", "unless"]
    box.ok("rm", "-f", "always", "stopped", "unless", "never")
    for ident in (always, unless):
        ended(box, ident)


def test_the_machines_end_is_not_its_users_stop(box):
    """What runs gets its stop signal and its time, all at once, and comes again with the next boot."""
    says = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"
    for name, policy in (("always", "always"), ("unless", "unless-stopped"), ("plain", "no")):
        run(box, "--name", name, "--restart", policy, "busybox", "sh", "-c", says)
    run(box, "--name", "stopped", "--restart", "unless-stopped", "busybox", "sleep", "1000")
    run(box, "--name", "gone", "--rm", "busybox", "sh", "-c", says)
    box.ok("stop", "-t", "0", "stopped")
    for name in ("always", "unless", "plain", "gone"):
        until(lambda name=name: "up" in box.ok("logs", name), name)
    box.ok("__halt")
    assert box.ok("ps", "-q") == ""
    assert [box.ok("logs", name).split() for name in ("always", "unless", "plain")] == [["up", "bye"]] * 3
    assert sorted(box.ok("ps", "-a", "--format", "{{.Names}}").split()) == ["always", "plain", "stopped", "unless"]
    assert sorted(box.ok("__boot").split()) == ["always", "unless"]
    box.ok("rm", "-f", "always", "stopped", "unless", "plain")


def test_rm_of_what_restarts(box):
    ident = run(box, "--restart", "always", "busybox", "false")
    box.ok("rm", "-f", ident)
    ended(box, ident)
    assert box.ok("ps", "-aq") == "" and not [f for f in box.files() if ident in f]
