# SPDX-License-Identifier: Apache-2.0
"""Commands on the same container at the same time, and processes that die in between: what the
others see, and that nothing runs or is lost behind their backs."""
import os
import signal
import socket
import subprocess

import pytest



pytestmark = pytest.mark.needs_root
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
SLOW_START = {"KOGGE_FAILPOINTS": "engine.start.prepared=delay(1500)"}


def running(box, *options, script="echo up; exec sleep 60"):
    """A container that runs and has said so; its client."""
    client = box.popen("run", "--network", "none", "--name", "one", *options, "busybox", "sh", "-c", script, **PIPES)
    assert client.stdout.readline() == b"up\n"
    return client


def monitor_of(box, name="one"):
    """PID of the monitor: the parent of the container's PID 1."""
    with open(f"/proc/{box.inspect(name)['State']['Pid']}/stat", encoding="ascii") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[1])


def ended(box, client):
    box("rm", "-f", "one")
    client.communicate(timeout=20)


def test_a_second_start_leaves_the_running_container_alone(box):
    client = running(box)
    assert box.ok("start", "one") == "one\n"
    assert box.inspect("one")["State"]["Running"]
    assert client.poll() is None
    ended(box, client)


def test_a_second_start_leaves_a_start_alone(box):
    """As in Docker it attaches to what the first one started."""
    box.ok("create", "--network", "none", "--name", "one", "busybox", "sleep", "3")
    first = box.popen("start", "-a", "one", env=SLOW_START, **PIPES)
    while not list((box.run_root / "containers").glob("*/hosts")):
        assert first.poll() is None
    box.fails(1, "rm", "one", saying="being started")
    box.ok("start", "-a", "one")
    assert first.wait(20) == 0, first.stderr.read()
    first.communicate()
    box.ok("rm", "one")


def test_rm_force_ends_a_container_that_is_being_started(box):
    box.ok("create", "--network", "none", "--name", "one", "busybox", "sleep", "60")
    first = box.popen("start", "-a", "one", env=SLOW_START, **PIPES)
    while not list((box.run_root / "containers").glob("*/hosts")):
        assert first.poll() is None
    box.ok("rm", "-f", "one")
    assert first.wait(20) == 137
    first.communicate()
    assert box.ok("ps", "-aq") == ""


@pytest.mark.parametrize("options", [(), ("--rm",)])
def test_a_killed_monitor_is_noticed(box, options):
    client = running(box, *options)
    os.kill(monitor_of(box), signal.SIGKILL)
    assert client.wait(20) == 125
    client.communicate()
    if options:
        assert box.ok("ps", "-aq") == ""
    else:
        state = box.inspect("one")["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 137)
        box.ok("rm", "one")
    assert not list((box.run_root / "containers").iterdir())


def test_a_killed_client_leaves_the_end_to_the_monitor(box):
    client = running(box)
    monitor = os.pidfd_open(monitor_of(box))
    client.kill()
    client.communicate()
    assert box.inspect("one")["State"]["Running"]
    box.ok("kill", "one")
    host_poll(monitor)
    state = box.inspect("one")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)
    box.ok("rm", "one")


def host_poll(pidfd):
    import select
    assert select.select([pidfd], [], [], 20)[0], "the process does not end"
    os.close(pidfd)


def test_a_start_that_is_killed_can_be_repeated(box):
    box.ok("create", "--network", "none", "--name", "one", "busybox", "sh", "-c", "exit 3")
    box("start", "-a", "one", env={"KOGGE_FAILPOINTS": "engine.start.prepared=kill"})
    assert box.inspect("one")["State"]["Status"] == "created"
    again = box("start", "-a", "one")
    assert again.code == 3, str(again)
    assert box.inspect("one")["State"]["ExitCode"] == 3
    box.ok("rm", "one")


def test_names_that_are_taken_are_not_told(box):
    """Two of these get the same name by chance; the second then gets another one."""
    for _ in range(150):
        assert box("create", "busybox", "true").err == ""
    names = box.ok("ps", "-a", "--format", "{{.Names}}").split()
    assert len(set(names)) == len(names) >= 150
    box.ok("rm", *names)


def test_a_failed_start_is_recorded(box):
    box.ok("create", "--network", "none", "--name", "one", "busybox", "/no/such/program")
    box.fails((1, 127), "start", "-a", "one")
    state = box.inspect("one")["State"]
    assert state["ExitCode"] == 127
    assert "/no/such/program" in state["Error"]
    box.fails((1, 127), "start", "-a", "one")
    box.ok("rm", "one")


def test_an_ignored_sigchld_does_not_lose_the_exit_code(box):
    result = box("run", "--rm", "--network", "none", "busybox", "sh", "-c", "exit 7",
                 preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert result.code == 7, str(result)


def test_closed_stdio_does_not_reach_our_files(box):
    command = box.args("run", "--network", "none", "--name", "one", "busybox", "sh", "-c", "echo out; echo err >&2; exit 4")
    assert subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], check=False).returncode == 4
    assert box.inspect("one")["State"]["ExitCode"] == 4
    box.ok("rm", "one")
    box.ok("system", "check")


def test_sockets_as_stdio_do_not_block_the_monitor(box):
    """Nobody reads the other end: the monitor still answers."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = box.popen("run", "--network", "none", "--name", "one", "busybox", "sh", "-c",
                           "echo up; cat /dev/zero", stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
        assert ours.recv(3) == b"up\n"
        box.ok("rm", "-f", "one", timeout=30)
        client.communicate(timeout=20)


def test_a_given_away_pipe_does_not_keep_a_container(box, scratch):
    """A process outside holds the container's stdout open: its end waits for a limited time."""
    client = running(box, script="echo up; exec sleep 60")
    holder = os.open(f"/proc/{box.inspect('one')['State']['Pid']}/fd/1", os.O_WRONLY)
    try:
        box.ok("kill", "one")
        assert client.wait(20) == 137
        client.communicate()
    finally:
        os.close(holder)
    box.ok("rm", "one")


def test_a_reader_that_stops_does_not_keep_rm(box):
    client = running(box, script="echo up; yes")
    box.ok("rm", "-f", "one", timeout=30)
    client.communicate(timeout=20)
    assert box.ok("ps", "-aq") == ""


def test_a_run_root_may_be_longer_than_255_bytes(box, busybox_tar):
    from harness import program
    longer = program.Kogge(box.folder)
    longer.run_root = box.folder / ("r" * 200) / ("u" * 200)
    client = longer.popen("run", "--network", "none", "--name", "one", "busybox", "sh", "-c",
                          "echo up; exec sleep 60", **PIPES)
    assert client.stdout.readline() == b"up\n"
    monitor = os.pidfd_open(monitor_of(longer))
    client.kill()
    client.communicate()
    longer.ok("kill", "one")
    host_poll(monitor)
    assert not list((longer.run_root / "containers").iterdir()), "the end was not done"
    longer.ok("rm", "one")


def test_E33_sockets_have_no_abstract_names(box):
    client = running(box)
    with open("/proc/net/unix", encoding="ascii", errors="replace") as table:
        assert not [line for line in table if "@" in line and "kogge" in line]
    control = next((box.run_root / "containers").glob("*/control"))
    assert control.stat().st_mode & 0o777 == 0o600
    ended(box, client)


def test_E34_nobody_else_enters_the_stores_folders(box):
    client = running(box)
    for folder in (box.root, box.run_root):
        assert folder.stat().st_mode & 0o077 in (0, 0o011), folder
    for folder in (box.run_root / "containers").iterdir():
        assert folder.stat().st_mode & 0o077 == 0
    ended(box, client)


def test_bytes_that_are_no_text_lose_nothing(box):
    """What is stored is JSON: such bytes become U+FFFD, as with Docker, and all else stays."""
    odd, shown = "\udc99", "\N{REPLACEMENT CHARACTER}"
    box.ok("create", "--name", "odd1", "--network", "none", "-l", f"a={odd}", "-l", "b=2", "-e", f"A={odd}", "-e", "B=3", "busybox",
           "sh", "-c", f"echo {odd}$A$B; exit 3")
    assert box.inspect("odd1")["Config"]["Labels"] == {"a": shown, "b": "2"}
    result = box("start", "-a", "odd1")
    assert (result.out, result.code) == (f"{shown}{shown}3\n", 3)
    box.ok("volume", "create", "--label", f"a={odd}", "--label", "b=1", "odd2")
    assert box.inspect("odd2")["Labels"] == {"a": shown, "b": "1"}
    box.ok("create", "--name", "odd3", "--network", "none", "busybox", f"nosuch{odd}")
    box.fails(1, "start", "odd3", saying="executable file not found")
    assert box.inspect("odd3")["State"]["Error"].startswith(f"executing 'nosuch{shown}'")
    box.ok("rm", "odd1", "odd3")
