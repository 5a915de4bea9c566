# SPDX-License-Identifier: Apache-2.0
"""Verbs that work on containers that exist: stop, kill, pause, restart, rename, update, ps, top,
stats, port, inspect."""
import json
import pathlib
import re
import select
import subprocess
import time

import pytest
from harness.waiting import until

pytestmark = pytest.mark.needs_root

STOPS = ("sh", "-c", "trap 'exit 5' TERM; trap 'exit 6' INT; while :; do sleep 0.1; done")
DEAF = ("sh", "-c", "while :; do sleep 0.1; done")


@pytest.fixture
def clean(box):
    """A store with busybox; what a test leaves is removed."""
    yield box
    names = box.ok("ps", "-aq").split()
    if names:
        box.ok("rm", "-f", *names)
    box.ok("system", "check")


def run(kogge, name, *args, flags=()):
    return kogge.ok("run", "-d", "--name", name, *flags, "busybox", *args).strip()


def events(kogge, *filters):
    lines = kogge.ok("events", "--since", "1h", "--until", str(time.time()), "--format", "{{.Action}}", *filters).splitlines()
    return [line.strip() for line in lines]


def state(kogge, name):
    return kogge.inspect(name)["State"]


# -- stop, restart --------------------------------------------------------------------------------

def test_stop_sends_the_stop_signal(clean):
    run(clean, "one", *STOPS)
    run(clean, "two", *STOPS, flags=("--stop-signal", "INT"))
    run(clean, "three", *STOPS)
    assert clean.ok("stop", "one", "two") == "one\ntwo\n"
    assert clean.ok("stop", "-s", "INT", "three") == "three\n"
    assert [state(clean, n)["ExitCode"] for n in ("one", "two", "three")] == [5, 6, 6]
    assert clean.ok("stop", "one") == "one\n", "stopping what is stopped does nothing"
    assert clean.ok("wait", "one") == "5\n"
    clean.fails(1, "stop", "-s", "NOSUCH", "one", saying="invalid signal: NOSUCH")
    result = clean.fails(1, "stop", "nosuch", "one", saying="no such container: nosuch")
    assert result.out == "one\n"


def test_stop_says_at_once_that_pid_1_does_not_get_the_signal(clean):
    run(clean, "deaf", *DEAF)
    start = time.monotonic()
    result = clean("stop", "deaf")
    assert result.code == 0 and result.out == "deaf\n"
    assert "does not handle SIGTERM" in result.err and "--init" in result.err
    assert time.monotonic() - start < 5 and state(clean, "deaf")["ExitCode"] == 137
    clean.ok("start", "deaf")
    start = time.monotonic()
    result = clean("stop", "-t", "1", "deaf")
    assert "killed after 1 seconds" in result.err and time.monotonic() - start >= 1, "a time that was given is kept"
    run(clean, "init", *DEAF, flags=("--init",))
    result = clean("stop", "init")
    assert result.err == "" and state(clean, "init")["ExitCode"] == 143


def test_stop_kills_after_its_time(clean):
    run(clean, "slow", "sh", "-c", "trap '' INT; trap 'echo no' TERM; while :; do sleep 0.1; done")
    start = time.monotonic()
    result = clean("stop", "-t", "1", "slow")
    assert result.code == 0 and result.err == "" and 1 <= time.monotonic() - start < 8
    assert state(clean, "slow")["ExitCode"] == 137
    assert events(clean, "--filter", "container=slow")[-4:] == ["kill", "kill", "die", "stop"]


def test_stop_of_an_attached_container_ends_its_client(clean):
    process = clean.popen("run", "--rm", "--name", "seen", "busybox", "sh", "-c",
                          "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    assert clean.ok("stop", "seen") == "seen\n"
    assert process.wait(20) == 7
    process.stdout.close()
    clean.fails(1, "inspect", "seen", saying="seen")


def test_restart_starts_it_again(clean):
    run(clean, "one", "sh", "-c", "echo line >>/file; trap 'exit 5' TERM; while :; do sleep 0.1; done")
    before = state(clean, "one")
    assert clean.ok("restart", "one") == "one\n"
    after = state(clean, "one")
    assert after["Running"] and after["StartedAt"] > before["StartedAt"] and after["Pid"] != before["Pid"]
    clean.ok("stop", "one")
    assert clean.ok("restart", "-t", "0", "one") == "one\n", "what does not run is started"
    assert state(clean, "one")["Running"]
    assert events(clean, "--filter", "event=restart") == ["restart", "restart"]
    run(clean, "gone", *STOPS, flags=("--rm",))
    clean.ok("restart", "gone")
    assert state(clean, "gone")["Running"], "--rm does not take it away"
    clean.ok("stop", "gone")
    clean.fails(1, "inspect", "gone", saying="gone")
    clean.fails(1, "restart", "nosuch", saying="no such container: nosuch")


# -- pause, kill ----------------------------------------------------------------------------------

def test_pause_freezes_and_unpause_lets_go_on(clean):
    id_ = run(clean, "one", "sh", "-c", "trap 'exit 5' TERM; while :; do echo x >>/ticks; sleep 0.02; done")
    ticks = pathlib.Path(clean.inspect("one")["GraphDriver"]["Data"]["UpperDir"], "ticks")
    until(ticks.exists)
    assert clean.ok("pause", "one") == "one\n"
    assert (state(clean, "one")["Status"], state(clean, "one")["Paused"]) == ("paused", True)
    assert clean.ok("ps", "--format", "{{.State}}") == "paused\n"
    assert clean.ok("ps", "--format", "{{.Status}}").endswith("(Paused)\n")
    assert clean.ok("ps", "-q", "-f", "status=paused", "--no-trunc").strip() == id_
    clean.fails(1, "pause", "one", saying=f"container {id_} is already paused")
    size = ticks.stat().st_size
    select.select([], [], [], 0.3)
    assert ticks.stat().st_size == size
    assert clean.ok("unpause", "one") == "one\n"
    clean.fails(1, "unpause", "one", saying=f"container {id_} is not paused")
    clean.ok("stop", "one")
    clean.fails(1, "pause", "one", saying="is not running")
    clean.fails(1, "pause", "nosuch", saying="no such container: nosuch")


@pytest.mark.parametrize("verb,code", ((("stop",), 5), (("kill",), 137), (("rm", "-f"), None)))
def test_X14_a_paused_container_can_be_ended(clean, verb, code):
    run(clean, "one", *STOPS)
    clean.ok("pause", "one")
    assert clean.ok(*verb, "one") == "one\n"
    if code is None:
        clean.fails(1, "inspect", "one", saying="one")
    else:
        assert clean.ok("wait", "one") == f"{code}\n"
        assert not state(clean, "one")["Paused"]


def test_X14_a_stopped_process_can_be_killed(clean):
    run(clean, "one", *STOPS)
    clean.ok("kill", "-s", "STOP", "one")
    assert clean.ok("kill", "one") == "one\n"
    assert clean.ok("wait", "one") == "137\n"


def test_kill_takes_signals_in_all_forms(clean):
    run(clean, "one", *STOPS)
    run(clean, "two", *STOPS)
    assert clean.ok("kill", "--signal", "SIGWINCH", "one", "two") == "one\ntwo\n"
    assert clean.ok("kill", "-s", "2", "one") == "one\n"
    assert clean.ok("kill", "-s", "term", "two") == "two\n"
    assert clean.ok("wait", "one", "two") == "6\n5\n"
    clean.fails(1, "kill", "one", saying="is not running")
    clean.fails(1, "kill", "nosuch", saying="no such container: nosuch")


@pytest.mark.parametrize("place", ("engine.pause.recorded", "engine.unpause.thawed"))
@pytest.mark.parametrize("action", ("kill", "error(EIO)"))
def test_F01_a_pause_that_is_broken_off_can_be_ended(clean, place, action):
    run(clean, "one", *STOPS)
    for verb in ("pause", "unpause"):
        clean(verb, "one", env={"KOGGE_FAILPOINTS": f"{place}={action}"})
    clean("unpause", "one")
    assert clean.ok("exec", "one", "echo", "goes on") == "goes on\n"
    clean("pause", "one", env={"KOGGE_FAILPOINTS": f"{place}={action}"})
    assert clean.ok("stop", "one") == "one\n"
    assert state(clean, "one")["ExitCode"] == 5 and not state(clean, "one")["Paused"]


def test_F01_an_update_or_restart_that_is_broken_off_can_be_done_again(clean):
    run(clean, "one", *STOPS, flags=("-m", "64m"))
    for action in ("kill", "error(EIO)"):
        clean("update", "-m", "96m", "one", env={"KOGGE_FAILPOINTS": f"engine.update.applied={action}"})
        assert clean.inspect("one")["HostConfig"]["Memory"] == 64 << 20
        clean("restart", "one", env={"KOGGE_FAILPOINTS": f"engine.restart.stopped={action}"})
        assert state(clean, "one")["Status"] == "exited"
        clean.ok("restart", "one")
    clean.ok("update", "-m", "96m", "one")
    assert clean.inspect("one")["HostConfig"]["Memory"] == 96 << 20


# -- rename, names --------------------------------------------------------------------------------

def test_rename(clean):
    run(clean, "one", *STOPS)
    run(clean, "two", *STOPS)
    assert clean.ok("rename", "one", "three") == ""
    assert clean.inspect("three")["Name"] == "/three"
    clean.fails(1, "inspect", "one", saying="one")
    clean.ok("rename", "three", "/four")
    clean.fails(1, "rename", "four", "two", saying="already in use by container")
    clean.fails(1, "rename", "four", "four", saying="same name as its current name")
    for bad in ("a!b", "../x", "a/b", "-x1", "x"):
        clean.fails(1, "rename", "--", "four", bad, saying="invalid container name")
    clean.fails(1, "rename", "four", "", saying="may be empty")
    clean.fails(1, "rename", "nosuch", "five", saying="no such container: nosuch")
    clean.ok("stop", "four", "two")


@pytest.mark.parametrize("verb", ("stop", "restart", "pause", "unpause", "kill", "wait", "top", "port", "rm", "container inspect"))
def test_a_name_that_is_a_path_is_no_container(clean, verb):
    clean.ok("create", "--name", "one", "busybox", "true")
    for name in ("../one", "/", "a/../one", "one/", ".", ""):
        clean.fails(1, *verb.split(), name, saying="no such")


def cgroup_values(id_, names):
    """The words in the files NAMES of the container's cgroup, of version 1 or 2."""
    top = pathlib.Path("/sys/fs/cgroup")
    files = [f for name in names for f in (*top.glob(f"kogge/{id_}/{name}"), *top.glob(f"*/kogge/{id_}/{name}"))]
    return {word for f in files for word in f.read_text().split()}


# -- update ---------------------------------------------------------------------------------------

def test_update_changes_limits_of_what_runs(clean):
    host_id = run(clean, "one", *STOPS, flags=("-m", "64m", "--cpus", "0.5"))
    assert clean.ok("update", "-m", "128m", "--memory-swap", "256m", "--cpus", "1.5", "--pids-limit", "30", "one") == "one\n"
    host = clean.inspect("one")["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (128 << 20, 256 << 20, 1500000000, 30)
    for names, value in ((("memory.limit_in_bytes", "memory.max"), str(128 << 20)), (("pids.max",), "30"),
                         (("cpu.cfs_quota_us", "cpu.max"), "150000")):
        assert value in cgroup_values(host_id, names), names
    assert clean.ok("stats", "--no-stream", "--format", "{{.MemUsage}}").strip().endswith("/ 128MiB")


def test_update_of_what_does_not_run_holds_at_its_start(clean):
    clean.ok("create", "--name", "one", "-m", "64m", "busybox", *STOPS)
    clean.ok("update", "-m", "96m", "one")
    clean.ok("start", "one")
    assert clean.ok("stats", "--no-stream", "--format", "{{.MemUsage}}").strip().endswith("/ 96MiB")


def test_update_changes_the_restart_policy_of_what_runs_in_the_foreground(clean):
    client = clean.popen("run", "--name", "one", "--network", "none", "busybox", "sh", "-c", "until [ -e /go ]; do sleep 0.01; done; exit 3")
    until(lambda: clean("inspect", "one").code == 0 and state(clean, "one")["Running"])
    clean.ok("update", "--restart", "on-failure:2", "one")
    clean.ok("exec", "one", "touch", "/go")
    assert client.wait(20) == 3
    until(lambda: state(clean, "one")["Status"] == "exited")
    assert clean.inspect("one")["RestartCount"] == 2


def test_update_changes_the_restart_policy_of_what_runs(clean):
    run(clean, "one", "sh", "-c", "until [ -e /go ]; do sleep 0.05; done; exit 3")
    assert clean.ok("update", "--restart", "on-failure:2", "one") == "one\n"
    assert clean.inspect("one")["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    waiter = clean.popen("wait", "one", stdout=subprocess.PIPE)
    clean.ok("exec", "one", "touch", "/go")
    assert waiter.communicate(timeout=20)[0] == b"3\n"
    until(lambda: state(clean, "one")["Status"] == "exited")
    assert clean.inspect("one")["RestartCount"] == 2
    run(clean, "rm", *STOPS, flags=("--rm",))
    clean.fails(1, "update", "--restart", "always", "rm", saying="AutoRemove")
    clean.fails(1, "update", "--restart", "foo", "one", saying="invalid restart policy")


@pytest.mark.parametrize("stop", (("stop",), ("stop", "-s", "INT"), ("kill",)))
def test_what_is_stopped_by_hand_is_not_restarted(clean, stop):
    run(clean, "one", *STOPS, flags=("--restart", "always", "--stop-signal", "TERM"))
    clean.ok(*stop, "one")
    clean.ok("wait", "one")
    assert state(clean, "one")["Status"] == "exited" and clean.inspect("one")["RestartCount"] == 0
    clean.ok("restart", "one")
    assert state(clean, "one")["Running"]


def test_update_refuses_what_cannot_be(clean):
    run(clean, "one", *STOPS, flags=("-m", "64m"))
    before = clean.inspect("one")["HostConfig"]
    clean.fails(1, "update", "one", saying="you must provide one or more flags")
    clean.fails(1, "update", "-m", "1m", "one", saying="minimum memory limit allowed is 6MB")
    clean.fails(1, "update", "--memory-swap", "32m", "one", saying="memoryswap")
    clean.fails(1, "update", "--memory-reservation", "1g", "one", saying="reservation")
    clean.fails(1, "update", "--cpuset-cpus", "9999", "one", saying="cpuset")
    clean.fails(1, "update", "--blkio-weight", "5", "one", saying="10 to 1000")
    clean.fails(1, "update", "-m", "64m", "nosuch", saying="no such container: nosuch")
    assert clean.inspect("one")["HostConfig"] == before


# -- ps -------------------------------------------------------------------------------------------

def test_ps_filters(clean):
    one = run(clean, "one", *STOPS, flags=("--label", "a=b", "--label", "c"))
    clean("run", "--name", "two", "--label", "a=x", "--network", "host", "busybox", "sh", "-c", "exit 3")
    clean.ok("create", "--name", "three", "busybox", "true")

    def names(*filters):
        flags = [word for f in filters for word in ("-f", f)]
        return set(clean.ok("ps", "-a", "--format", "{{.Names}}", *flags).split())

    assert names("name=o") == {"one", "two"}
    assert names("name=^one$") == names("name=^/one$") == {"one"}
    assert names("name=one", "name=thr") == {"one", "three"}
    assert names(f"id={one[:8]}") == {"one"}
    assert names("label=a") == {"one", "two"} and names("label=a=b") == {"one"}
    assert names("label=a", "label=c") == {"one"}
    assert names("exited=3") == {"two"} and names("exited=0") == set()
    assert names("status=created") == {"three"} and names("status=created", "status=exited") == {"two", "three"}
    assert names("ancestor=busybox") == {"one", "two", "three"} and names("ancestor=nosuch") == set()
    assert names(f"ancestor={clean.inspect('one')['Image']}", "status=running") == {"one"}
    assert names("since=one") == {"two", "three"} and names("before=two") == {"one"}
    assert names("network=host") == {"two"} and names("network=none") == {"one", "three"}
    assert names("health=none") == {"one", "two", "three"} and names("health=healthy") == set()
    assert names("is-task=false") == {"one", "two", "three"} and names("is-task=true") == set()
    assert names("volume=nosuch") == names("publish=80") == names("expose=80-90/udp") == set()
    assert names("isolation=default") == {"one", "two", "three"}
    assert clean.ok("ps", "-f", "status=created", "--format", "{{.Names}}") == "three\n", "a status asks for all"
    assert clean.ok("ps", "-n", "2", "--format", "{{.Names}}") == "three\ntwo\n"
    assert clean.ok("ps", "-l", "--format", "{{.Names}}") == "three\n"


def test_ps_measures_what_its_format_shows(clean):
    clean.fails(1, "ps", "--format", "{{.Bogus}}", saying="can't evaluate field Bogus")
    run(clean, "one", *STOPS)
    assert "(virtual " in clean.ok("ps", "--format", "{{.Size}}")
    assert "(virtual " in json.loads(clean.ok("ps", "--format", "{{json .}}"))["Size"]
    assert json.loads(clean.ok("ps", "--format", "json"))["Size"] == "0B"


def test_a_template_that_cannot_be_has_dockers_exit_code(clean):
    clean.ok("create", "--name", "one", "busybox", *STOPS)
    clean.fails(64, "inspect", "-f", "{{", "one", saying="template parsing error")
    clean.fails(1, "inspect", "-f", "{{.Bogus}}", "one", saying="Bogus")
    clean.fails(64, "events", "--since", "1h", "--until", "0s", "--format", "{{", saying="unclosed action")
    clean.fails(64, "events", "--since", "1h", "--until", "0s", "--format", "{{.Bogus}}", saying="Bogus")
    assert clean("inspect", "-f", "{{.Id}}", "nosuch").out == "\n"


# -- top, stats, port -----------------------------------------------------------------------------

def test_top_shows_the_containers_processes_only(clean):
    run(clean, "one", "sh", "-c", "trap 'exit 5' TERM; sleep 4321 & while :; do sleep 0.1; done")
    until(lambda: "sleep 4321" in clean.ok("top", "one"))
    lines = clean.ok("top", "one").splitlines()
    assert lines[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert any(line.endswith("sleep 4321") for line in lines) and all("pytest" not in line for line in lines)
    assert str(state(clean, "one")["Pid"]) in clean.ok("top", "one", "-o", "pid,comm").split()
    clean.fails(1, "top", "one", "-o", "comm", saying="couldn't find PID field in ps output")
    clean.ok("stop", "one")
    clean.fails(1, "top", "one", saying="is not running")


def test_stats_counts_what_is_used(clean):
    run(clean, "busy", "sh", "-c", "trap 'exit 5' TERM; while :; do :; done", flags=("-m", "64m", "--cpus", "0.5"))
    run(clean, "idle", "sleep", "1000")
    rows = [json.loads(line) for line in clean.ok("stats", "--no-stream", "--format", "json").splitlines()]
    by_name = {row["Name"]: row for row in rows}
    assert set(by_name) == {"busy", "idle"}
    assert 15 < float(by_name["busy"]["CPUPerc"][:-1]) < 85, "half a processor"
    assert float(by_name["idle"]["CPUPerc"][:-1]) < 15
    assert by_name["busy"]["MemUsage"].endswith(" / 64MiB") and by_name["busy"]["PIDs"] == "1"
    assert not by_name["busy"]["MemUsage"].startswith("0B") and not by_name["idle"]["MemUsage"].startswith("0B")
    clean.ok("kill", "idle")
    assert clean.ok("stats", "--no-stream", "--format", "{{.Name}}") == "busy\n"
    assert set(clean.ok("stats", "-a", "--no-stream", "--format", "{{.Name}}").split()) == {"busy", "idle"}
    assert clean.ok("stats", "--no-stream", "--format", "{{.Container}} {{.PIDs}}", "idle") == "idle 0\n"
    clean.fails(1, "stats", "--no-stream", "nosuch", saying="no such container: nosuch")


def test_stats_goes_on_until_its_containers_are_gone(clean):
    run(clean, "one", "sleep", "1000")
    process = clean.popen("stats", "--format", "{{.Name}}", "one", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"one\n" and process.stdout.readline() == b"one\n"
    clean.ok("rm", "-f", "one")
    process.stdout.read()
    assert process.wait(20) == 0
    process.stdout.close()


def test_port_of_a_container_without_ports(clean):
    run(clean, "one", "sleep", "1000")
    assert clean.ok("port", "one") == ""
    clean.fails(1, "port", "one", "80", saying="no public port '80/tcp' published for one")
    clean.fails(1, "port", "one", "x", saying="invalid port")


# -- Docker ---------------------------------------------------------------------------------------

FLAGS = ("--network", "none", "-m", "64m", "--cpus", "0.5", "--tmpfs", "/t:size=1m", "--cap-add", "NET_ADMIN", "--cap-drop", "MKNOD",
         "--sysctl", "net.ipv4.ip_forward=1", "--ulimit", "nofile=100:200", "--device", "/dev/null:/dev/xx", "-e", "A=b",
         "--user", "1:2", "-w", "/tmp", "--stop-signal", "INT", "--stop-timeout", "3", "--pids-limit", "50",
         "--add-host", "h:1.2.3.4", "--read-only", "--label", "l=v", "-i")

# What may differ: identities, times, places, and what another engine has of its own.
OTHER = {"Id", "Created", "Pid", "StartedAt", "FinishedAt", "Image", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "Driver", "Runtime",
         "MaskedPaths", "ReadonlyPaths", "GraphDriver", "Hostname", "SandboxID", "SandboxKey", "NetworkID", "EndpointID",
         "KernelMemory", "KernelMemoryTCP", "OomKillDisable", "LogConfig", "GwPriority", "DNSNames", "CgroupnsMode", "IpcMode"}


def compare(theirs, ours, path=""):
    """Where OURS lacks a field that Docker has, has one that it has not, or another value."""
    found = []
    for key in sorted(set(theirs) | set(ours)):
        if key in OTHER:
            continue
        at = f"{path}.{key}"
        if key not in ours or key not in theirs:
            found.append(f"{at} only in {'Docker' if key in theirs else 'ours'}")
        elif isinstance(theirs[key], dict) and isinstance(ours[key], dict):
            found += compare(theirs[key], ours[key], at)
        elif theirs[key] != ours[key]:
            found.append(f"{at}: {theirs[key]} in Docker, {ours[key]} in ours")
    return found


def test_as_docker(clean, docker, busybox_tar):
    """inspect field by field; ps, top and port line by line; exit codes and what is on stdout."""
    docker.ok("import", busybox_tar, "busybox")
    try:
        for tool in (clean, docker):
            tool.ok("run", "-d", "--name", "plain1", "--network", "none", "busybox", *STOPS)
            tool.ok("run", "-d", "--name", "full1", *FLAGS, "busybox", "sleep", "1000")
        for name in ("plain1", "full1"):
            theirs = json.loads(docker.ok("inspect", name))[0]
            assert compare(theirs, clean.inspect(name)) == []
        columns = "{{.Names}}|{{.Image}}|{{.Command}}|{{.Ports}}|{{.State}}|{{.Labels}}|{{.Networks}}|{{.Mounts}}|{{.LocalVolumes}}"
        commands = (
            ("ps", "--format", columns), ("ps", "--no-trunc", "--format", columns), ("ps", "-s", "--format", "{{.Names}} {{.Size}}"),
            ("ps", "-f", "status=bogus"), ("ps", "-f", "bogus=1"), ("ps", "-f", "exited=x"), ("ps", "-f", "name=^/full1$", "--format", "{{.Names}}"),
            ("ps", "-f", "is-task=x"), ("ps", "-f", "health=bogus"), ("ps", "-f", "since=nosuch"), ("ps", "--format", "{{.Bogus}}"),
            ("top", "plain1", "-o", "comm"), ("top", "nosuch"), ("port", "plain1"), ("port", "plain1", "80"),
            ("pause", "plain1"), ("pause", "plain1"), ("ps", "--format", "{{.Names}} {{.State}}"), ("kill", "-s", "FOO", "plain1"),
            ("stop", "-t", "2", "plain1"), ("unpause", "plain1"), ("wait", "plain1"), ("stop", "plain1"), ("kill", "plain1"), ("restart", "nosuch"),
            ("rename", "plain1", "plain2"), ("rename", "plain2", "full1"), ("rename", "plain2", "plain2"), ("rename", "plain2", "a!b"),
            ("update", "--memory", "1m", "full1"), ("update", "-m", "32m", "full1"), ("update", "full1"),
            ("rm", "full1"), ("rm", "nosuch"), ("rm", "-f", "nosuch"), ("container", "inspect", "nosuch"), ("inspect", "nosuch"),
            ("rm", "-f", "full1", "plain2"),
        )
        for command in commands:
            ours, theirs = clean(*command), docker(*command)
            assert (ours.out, ours.code) == (theirs.out, theirs.code), f"{ours}\n{theirs}"
    finally:
        docker("rm", "-f", "plain1", "plain2", "full1")


def test_help_names_dockers_flags(clean, docker):
    for verb in ("stop", "restart", "kill", "rename", "update", "top", "stats", "exec", "events", "port", "rm", "ps", "inspect", "wait", "pause"):
        flags = re.compile(r"^ +(?:-\w, )?(--[\w-]+)", re.M)
        missing = set(flags.findall(docker.ok(verb, "--help"))) - set(flags.findall(clean.ok(verb, "--help")))
        assert not missing, f"{verb} lacks {missing}"
