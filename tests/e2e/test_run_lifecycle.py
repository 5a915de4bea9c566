# SPDX-License-Identifier: Apache-2.0
"""Containers from create to rm, killed programs on the way, and that nothing is left behind."""
import os
import pathlib
import re
import select
import signal
import subprocess

import pytest
from harness.monitor import monitor_of
from harness.waiting import until

pytestmark = pytest.mark.needs_root

SHELL = ("busybox", "sh", "-c")
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def cgroups(id_):
    """The cgroups of the container ID_, in every hierarchy."""
    return [str(p) for p in (*CGROUPS.glob(f"kogge/{id_}*"), *CGROUPS.glob(f"*/kogge/{id_}*"))]


def left(kogge):
    """What is there of containers: rows, run directories, writable layers that no image has."""
    found = {f"row {name}" for name in kogge.ok("ps", "-aq").split()}
    found |= {str(p) for p in (kogge.run_root / "containers").glob("*")}
    return found


@pytest.fixture
def clean(box):
    """A store with busybox; after the test everything of containers has to be gone."""
    layers = {p.name for p in box.root.glob("snapshots/*/*")}
    yield box
    assert not left(box)
    # Who ends a container takes its files away after its row.
    until(lambda: {p.name for p in box.root.glob("snapshots/*/*")} == layers)
    box.ok("system", "check")


def start(kogge, *args, ready=b"ready\n", **options):
    """Starts `kogge run` and waits for the line that its program prints."""
    process = kogge.popen("run", *args, stdout=subprocess.PIPE, **options)
    assert process.stdout.readline() == ready
    process.stdout.close()
    return process


def ended(pid, seconds=20):
    """Waits for the end of PID, which need not be a child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    done = bool(select.select([fd], [], [], seconds)[0])
    os.close(fd)
    return done


IDLE = ("sh", "-c", "echo ready; while :; do sleep 1; done")


# -- create, start, wait, kill, rm -----------------------------------------------------------------

def test_create_start_wait_rm(clean):
    id_ = clean.ok("create", "--name", "one", "-e", "A=b", *SHELL, "echo $A; exit 3").strip()
    state = clean.inspect("one")["State"]
    assert (state["Status"], state["Running"], state["Pid"]) == ("created", False, 0)
    result = clean("start", "-a", "one")
    assert (result.code, result.out) == (3, "b\n")
    assert clean.ok("wait", id_[:12]) == "3\n"
    result = clean("start", "-a", id_)
    assert (result.code, result.out) == (3, "b\n"), "a second start"
    assert clean.ok("rm", "one") == "one\n"
    clean.fails(1, "inspect", "one", saying="one")


def test_start_hands_stdin_on_only_with_i(clean):
    clean.ok("create", "-i", "--name", "reads", "busybox", "cat")
    assert clean("start", "-a", "-i", "reads", input="text").out == "text"
    assert clean("start", "-i", "reads", input="more").out == "more"
    clean.ok("rm", "reads")


def test_writable_layer_survives_a_restart_and_is_its_own(clean):
    clean.ok("create", "--name", "keeps", *SHELL, "cat /file 2>/dev/null; echo line >>/file")
    assert clean.ok("start", "-a", "keeps") == ""
    assert clean.ok("start", "-a", "keeps") == "line\n"
    assert clean.ok("run", "--rm", *SHELL, "ls /file 2>/dev/null || echo none") == "none\n"
    clean.ok("rm", "keeps")


def test_ps_shows_states(clean):
    clean.ok("create", "--name", "made", "busybox", "true")
    clean("run", "--name", "over", *SHELL, "exit 4")
    process = start(clean, "--rm", "--name", "runs", "busybox", *IDLE)
    assert clean.inspect("runs")["State"]["Running"]  # waits until the start is recorded
    lines = dict(line.split("|") for line in clean.ok("ps", "-a", "--format", "{{.Names}}|{{.Status}}").splitlines())
    assert lines["made"] == "Created" and lines["over"].startswith("Exited (4)") and lines["runs"].startswith("Up ")
    assert clean.ok("ps", "--format", "{{.Names}}") == "runs\n"
    assert clean.ok("ps", "-aq", "-f", "status=exited", "--no-trunc") == clean.inspect("over")["Id"] + "\n"
    clean.ok("kill", "runs")
    assert process.wait(20) == 137
    clean.ok("rm", "made", "over")


def test_inspect_of_a_running_container(clean):
    process = start(clean, "--rm", "--name", "runs", "busybox", *IDLE)
    state = clean.inspect("runs")["State"]
    assert state["Running"] and state["Status"] == "running"
    assert pathlib.Path(f"/proc/{state['Pid']}/cmdline").read_bytes().startswith(b"sh\0-c\0")
    clean.ok("kill", "runs")
    process.wait(20)


def test_what_runs_is_there_as_soon_as_it_is_seen(clean):
    """The first byte of output may come before the start is recorded: commands wait for that."""
    for _ in range(10):
        process = start(clean, "--rm", "--name", "early", "busybox", *IDLE)
        clean.ok("kill", "early")
        assert process.wait(20) == 137


def test_kill_sends_the_signal_that_is_asked_for(clean):
    process = clean.popen("run", "--rm", "--name", "traps", *SHELL,
                          "trap 'echo usr1' USR1; trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done",
                          stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    assert clean.ok("kill", "--signal", "USR1", "traps") == "traps\n"
    assert process.stdout.readline() == b"usr1\n"
    clean.fails(1, "kill", "-s", "NOSUCH", "traps", saying="NOSUCH")
    clean.ok("kill", "-s", "15", "traps")
    assert process.wait(20) == 6
    process.stdout.close()
    clean.fails(1, "kill", "traps", saying="traps")


def test_wait_ends_with_the_container(clean):
    process = start(clean, "--name", "waits", *SHELL,
                    "trap 'exit 8' TERM; echo ready; while :; do sleep 0.05; done")
    waiters = [clean.popen("wait", "waits", stdout=subprocess.PIPE) for _ in range(3)]
    process.terminate()
    assert process.wait(20) == 8
    assert [w.communicate(timeout=20)[0] for w in waiters] == [b"8\n"] * 3
    clean.ok("rm", "waits")


def test_rm_of_a_running_container_needs_force(clean):
    process = start(clean, "--name", "runs", "busybox", *IDLE)
    clean.fails(1, "rm", "runs", saying="running")
    id_ = clean.inspect("runs")["Id"]
    assert clean.ok("rm", "-f", "runs") == "runs\n"
    process.wait(20)
    assert not cgroups(id_)
    clean.fails(1, "rm", "runs", saying="runs")
    clean("rm", "-f", "runs")


def test_rm_f_does_not_wait_for_who_does_not_read(clean):
    process = clean.popen("run", "--name", "stuck", "busybox", "yes", stdout=subprocess.PIPE)
    process.stdout.read(1)
    until(lambda: clean("rm", "-f", "stuck", timeout=20).out == "stuck\n")
    process.stdout.read()
    process.wait(20)
    process.stdout.close()


def test_rm_of_several_removes_what_is_there(clean):
    clean.ok("create", "--name", "aa", "busybox", "true")
    clean.ok("create", "--name", "bb", "busybox", "true")
    result = clean.fails(1, "rm", "aa", "nosuch", "bb", saying="nosuch")
    assert result.out == "aa\nbb\n"


def test_names_conflict_until_the_container_is_gone(clean):
    clean.ok("create", "--name", "taken", "busybox", "true")
    clean.fails(1, "create", "--name", "taken", "busybox", "true", saying="taken")
    clean.fails(125, "run", "--rm", "--name", "taken", "busybox", "true", saying="taken")
    clean.ok("rm", "taken")
    clean.ok("run", "--rm", "--name", "taken", "busybox", "true")


def test_starting_what_runs_does_it_no_harm(clean):
    process = start(clean, "--name", "runs", "busybox", *IDLE)
    assert clean.ok("start", "runs") == "runs\n"
    assert clean.inspect("runs")["State"]["Running"]
    clean.ok("kill", "runs")
    assert process.wait(20) == 137
    clean.ok("rm", "runs")


def test_two_starts_at_once_never_run_it_twice_at_a_time(clean, tmp_path):
    """The second is attached to what the first started, or starts it again where that has ended."""
    script = "mkdir /shared/runs || touch /shared/overlap; sleep 0.3; echo ran; rmdir /shared/runs"
    for _ in range(5):
        clean.ok("create", "--name", "race", "-v", f"{tmp_path}:/shared", *SHELL, script)
        both = [clean.popen("start", "-a", "race", stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        out = [(*p.communicate(timeout=60), p.returncode) for p in both]
        assert not (tmp_path / "overlap").exists(), out
        assert [code for _, _, code in out] == [0, 0] and {o[0] for o in out} == {b"ran\n"}, out
        clean.ok("rm", "race")


def test_ten_runs_at_once(clean):
    many = [clean.popen("run", "--rm", *SHELL, f"echo {i}; exit {i}", stdout=subprocess.PIPE) for i in range(10)]
    for i, process in enumerate(many):
        assert process.communicate(timeout=40)[0] == f"{i}\n".encode() and process.returncode == i


def test_prefixes_and_ambiguous_references(clean):
    ids = [clean.ok("create", "busybox", "true").strip() for _ in range(2)]
    assert clean.inspect(ids[0][:20])["Id"] == ids[0]
    clean.fails(1, "inspect", "", saying="")
    clean.ok("rm", *ids)


def test_an_image_in_use_stays(clean):
    clean.ok("create", "--name", "uses", "busybox", "true")
    clean.fails(1, "rmi", "busybox", saying="busybox")
    clean.ok("rm", "uses")


# -- killed programs -------------------------------------------------------------------------------

@pytest.mark.parametrize("rm", [True, False])
def test_kogge_killed_the_container_goes_on_and_ends_properly(clean, rm):
    process = start(clean, *(["--rm"] if rm else []), "--name", "goes-on", *SHELL,
                    "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    id_ = clean.inspect("goes-on")["Id"]
    process.kill()
    process.wait()
    assert clean.inspect("goes-on")["State"]["Running"]
    waiter = clean.popen("wait", "goes-on", stdout=subprocess.PIPE)
    monitor = monitor_of(clean.inspect("goes-on")["Id"])
    clean.ok("kill", "-s", "TERM", "goes-on")
    assert waiter.communicate(timeout=20)[0] == b"9\n"
    assert ended(monitor)
    if rm:
        clean.fails(1, "inspect", "goes-on")
    else:
        assert clean.inspect("goes-on")["State"]["ExitCode"] == 9
        clean.ok("rm", "goes-on")
    assert not cgroups(id_)


def test_kogge_killed_the_container_can_still_write(clean):
    """Nobody reads its output any more: neither does it block nor die of SIGPIPE."""
    process = start(clean, "--name", "writes", *SHELL, "echo ready; seq 100000; seq 100000 >&2; exit 5",
                    stderr=subprocess.DEVNULL)
    process.kill()
    process.wait()
    assert clean.ok("wait", "writes") == "5\n"
    until(lambda: not clean.inspect("writes")["State"]["Running"])
    clean.ok("rm", "writes")


@pytest.mark.parametrize("rm", [True, False])
def test_monitor_killed_the_next_command_tells_and_cleans_up(clean, rm):
    process = start(clean, *(["--rm"] if rm else []), "--name", "orphan", "busybox", *IDLE, stderr=subprocess.PIPE)
    found = clean.inspect("orphan")
    os.kill(monitor_of(clean.inspect("orphan")["Id"]), signal.SIGKILL)
    _, err = process.communicate(timeout=20)
    assert process.returncode in (125, 137) and b"monitor" in err
    if rm:
        assert clean.ok("ps", "-aq") == ""
    else:
        state = clean.inspect("orphan")["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 137)
        clean.ok("rm", "orphan")
    assert ended(found["State"]["Pid"]) and not cgroups(found["Id"])


def test_both_killed_the_next_command_tells_and_cleans_up(clean):
    process = start(clean, "--name", "orphan", "busybox", *IDLE)
    found = clean.inspect("orphan")
    monitor = monitor_of(clean.inspect("orphan")["Id"])
    process.kill()
    process.wait()
    os.kill(monitor, signal.SIGKILL)
    assert ended(monitor)
    assert clean.ok("ps", "-a", "--format", "{{.Names}} {{.Status}}").startswith("orphan Exited (137)")
    assert ended(found["State"]["Pid"]) and not cgroups(found["Id"])
    clean.ok("rm", "orphan")


@pytest.mark.parametrize("command", ["rm", "start", "wait", "kill"])
def test_monitor_killed_and_each_command_comes_first(clean, command):
    process = start(clean, "--name", "orphan", "busybox", "sh", "-c", "test -e /x && exit 0; touch /x; echo ready; sleep 99")
    pid = clean.inspect("orphan")["State"]["Pid"]
    monitor = monitor_of(clean.inspect("orphan")["Id"])
    process.kill()
    process.wait()
    os.kill(monitor, signal.SIGKILL)
    assert ended(monitor)
    if command == "rm":
        clean.ok("rm", "orphan")
    elif command == "start":
        clean.ok("start", "-a", "orphan")
    elif command == "wait":
        assert clean.ok("wait", "orphan") == "137\n"
    else:
        clean.fails(1, "kill", "orphan", saying="not running")
    assert ended(pid)
    if command != "rm":
        clean.ok("rm", "orphan")


def test_killed_while_starting_leaves_nothing(clean, scratch):
    """SIGKILL at moments spread over the start; then the next command puts everything right."""
    for i in range(12):
        process = clean.popen("run", "--rm", "--cidfile", scratch / f"id{i}", "busybox", "true", stdout=subprocess.DEVNULL)
        select.select([], [], [], i * 0.003)
        process.kill()
        process.wait()
    until(lambda: clean.ok("ps", "-aq") == "")
    until(lambda: not left(clean))
    ids = [f.read_text() for f in scratch.glob("id*")]
    assert not [c for id_ in ids if id_ for c in cgroups(id_)]


def test_init_process_killed_from_outside(clean):
    process = start(clean, "--rm", "--name", "victim", "busybox", *IDLE)
    os.kill(clean.inspect("victim")["State"]["Pid"], signal.SIGKILL)
    assert process.wait(20) == 137


# -- failures leave nothing behind -----------------------------------------------------------------

FAILURES = [
    ["--rm", "busybox", "nosuchprogram"], ["--rm", "-w", "/bin/sh", "busybox", "true"],
    ["--rm", "-u", "nobodyknows", "busybox", "true"], ["--rm", "--tmpfs", "/bin/sh", "busybox", "true"],
    ["--rm", "--device", "/dev/nosuch", "busybox", "true"], ["--rm", "--sysctl", "net.nosuch=1", "busybox", "true"],
    ["--rm", "--sysctl", "kernel.shm_rmid_forced=x", "busybox", "true"],
    ["--rm", "--network", "container:nosuch", "busybox", "true"], ["--rm", "--network", "nosuch", "busybox", "true"],
    ["--rm", "--cpuset-cpus", "77", "busybox", "true"], ["--rm", "--device", "/etc/passwd", "busybox", "true"],
    ["--rm", "--ulimit", "nofile=99999999999", "busybox", "true"], ["--pull", "never", "nosuchimage", "true"], ["--rm", "--pull", "x", "busybox"]]


@pytest.mark.parametrize("args", FAILURES, ids=lambda a: re.sub("[^a-z0-9]+", "-", " ".join(a[1:3])))
def test_failures_leave_nothing_behind(clean, args):
    result = clean("run", *args)
    assert result.code in (125, 126, 127) and result.err.startswith("kogge: ") or "invalid" in result.err, str(result)
    assert not left(clean)


def test_a_start_that_fails_keeps_the_container_and_its_reason(clean):
    clean.fails(127, "run", "--name", "fails", "busybox", "nosuchprogram", saying="nosuchprogram")
    state = clean.inspect("fails")["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", 127) and "nosuchprogram" in state["Error"]
    clean.fails(1, "start", "-a", "fails", saying="nosuchprogram")
    clean.ok("rm", "fails")


def test_a_lost_run_directory_is_as_after_a_reboot(clean):
    """/run is empty after a reboot: nothing runs, and everything can be started and removed."""
    clean("run", "--name", "over", *SHELL, "exit 3")
    clean.ok("create", "--name", "made", "busybox", "true")
    subprocess.run(["rm", "-rf", clean.run_root], check=True)
    assert clean.inspect("over")["State"]["ExitCode"] == 3
    clean.ok("start", "-a", "made")
    clean.ok("rm", "over", "made")
