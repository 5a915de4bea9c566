# SPDX-License-Identifier: Apache-2.0
"""The log of a container: what is in it, and what `logs` shows of it."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
from harness.monitor import monitor_of
from test_detached import ended, run

pytestmark = pytest.mark.needs_root


def logged(kogge, *args):
    """Runs a container in the background to its end; its ID."""
    ident = run(kogge, *args)
    kogge.ok("wait", ident)
    ended(kogge, ident)
    return ident


def records(kogge, ident):
    path = pathlib.Path(kogge.inspect(ident)["LogPath"])
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_format_is_docker_s(box):
    ident = logged(box, "busybox", "sh", "-c", r"printf 'a\tb<\n\001\377\n\303\251\n'; printf part")
    path = pathlib.Path(box.inspect(ident)["LogPath"])
    assert path == box.root / "containers" / ident / f"{ident}-json.log"
    lines = path.read_text().splitlines()
    assert lines[0].startswith(r'{"log":"a\u0009b\u003c\n","stream":"stdout","time":"2')
    assert lines[1].startswith('{"log":"\\u0001\ufffd\\n","stream":"stdout"')
    assert lines[2].startswith('{"log":"\u00e9\\n"')
    assert json.loads(lines[3])["log"] == "part", "the last line has no line feed"


def test_streams_stay_apart_and_the_last_line_as_it_was(box):
    ident = logged(box, "busybox", "sh", "-c", "echo out; echo err >&2; printf part")
    result = box("logs", ident)
    assert (result.out, result.err) == ("out\npart", "err\n")


def test_a_terminal_s_log_is_one_stream(box):
    ident = logged(box, "-t", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert box("logs", ident).raw_out == b"out\r\nerr\r\n"


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_long_lines_are_whole_and_are_one_line_of_the_tail(box, driver):
    ident = logged(box, "--log-driver", driver, "busybox", "sh", "-c",
                   "echo first; head -c 100000 /dev/zero | tr '\\0' x; echo; echo last")
    assert box.ok("logs", ident) == "first\n" + "x" * 100000 + "\nlast\n"
    assert box.ok("logs", "--tail", "2", ident) == "x" * 100000 + "\nlast\n"
    stamped = box.ok("logs", "-t", ident).splitlines()
    assert len(stamped) == 3 and stamped[1].split(" ")[1] == "x" * 100000


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_the_last_words_of_a_stream_are_a_line_of_their_own(box, driver):
    ident = logged(box, "--log-driver", driver, "busybox", "sh", "-c",
                   "printf 'no end'; exec >&-; sleep 0.2; echo err >&2; sleep 0.2; printf 'nor here' >&2")
    assert (box("logs", "--tail", 1, ident).out, box("logs", "--tail", 1, ident).err) == ("", "nor here")
    assert (box("logs", "--tail", 2, ident).out, box("logs", "--tail", 2, ident).err) == ("", "err\nnor here")
    assert (box("logs", "--tail", 3, ident).out, box("logs", "--tail", 3, ident).err) == ("no end", "err\nnor here")


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_tail_and_since_across_rotated_files(box, driver):
    ident = logged(box, "--log-driver", driver, "--log-opt", "max-size=100k", "--log-opt", "max-file=3",
                   "busybox", "seq", "1", "20000")
    lines = box.ok("logs", ident).splitlines()
    assert lines[-1] == "20000" and lines == [str(n) for n in range(int(lines[0]), 20001)], "the oldest went, no other"
    assert len(lines) < 20000
    folder = box.root / "containers" / ident
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".idx")]
    assert len(files) == 3 and all(p.stat().st_size < 200000 for p in files)
    for n in (0, 1, 7, 2500, 100000):
        assert box.ok("logs", "--tail", n, ident).splitlines() == (lines[-n:] if n else [])
    assert box.ok("logs", "--tail", "nonsense", ident).splitlines() == lines
    stamped = [line.split(" ") for line in box.ok("logs", "-t", ident).splitlines()]
    middle = stamped[len(stamped) // 2][0]
    assert box.ok("logs", "--since", middle, ident).splitlines() == [t for s, t in stamped if s >= middle]
    assert box.ok("logs", "--until", middle, ident).splitlines() == [t for s, t in stamped if s <= middle]


def test_the_default_rotates(box):
    ident = box.ok("create", "busybox", "true").strip()
    assert box.inspect(ident)["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {}}


def test_the_foreground_is_logged_too(box):
    assert box.ok("run", "--name", "fore", "busybox", "echo", "hello") == "hello\n"
    assert box.ok("logs", "fore") == "hello\n"


def test_none_has_no_log(box):
    ident = logged(box, "--log-driver", "none", "busybox", "echo", "x")
    box.fails(1, "logs", ident, saying="configured logging driver does not support reading")
    assert not (box.root / "containers" / ident).exists()


def test_options_are_checked(box):
    box.fails(125, "run", "--log-driver", "syslogx", "busybox", saying="no log driver named 'syslogx' is registered")
    box.fails(125, "run", "--log-opt", "what=1", "busybox", saying="unknown log opt 'what' for json-file log driver")
    box.fails(125, "run", "--log-opt", "max-size=x", "busybox", saying="max-size")


def test_journald_where_there_is_none(box):
    if os.path.exists("/run/systemd/journal/socket"):
        pytest.skip("there is a journal")
    box.fails(125, "run", "--log-driver", "journald", "busybox", "true", saying="journal")


def test_a_silent_container_has_no_file(box):
    ident = logged(box, "busybox", "true")
    assert not (box.root / "containers" / ident).exists()
    assert box.ok("logs", ident) == ""


def test_following_ends_with_the_container(box):
    ident = run(box, "-i", "busybox", "sh", "-c", "echo one; read x; echo two; printf three")
    follower = box.popen("logs", "-f", ident, stdout=subprocess.PIPE)
    assert follower.stdout.readline() == b"one\n"
    feeder = box.popen("attach", ident, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    feeder.stdin.write(b"go\n")
    feeder.stdin.flush()
    assert follower.stdout.read() == b"two\nthree"
    assert follower.wait(10) == 0
    feeder.communicate(timeout=10)
    ended(box, ident)


def test_following_goes_on_over_a_rotation(box):
    ident = run(box, "-i", "--log-opt", "max-size=50k", "busybox", "sh", "-c", "read x; seq 1 3000; read x; seq 3001 3010")
    follower = box.popen("logs", "-f", ident, stdout=subprocess.PIPE)
    feeder = box.popen("attach", ident, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    feeder.stdin.write(b"\n")
    feeder.stdin.flush()
    seen = [follower.stdout.readline() for _ in range(1)]
    feeder.stdin.write(b"\n")
    feeder.stdin.flush()
    seen += follower.stdout.read().splitlines(True)
    numbers = [int(x) for x in seen]
    assert numbers[-1] == 3010 and numbers == sorted(numbers)
    assert follower.wait(10) == 0
    feeder.communicate(timeout=10)
    ended(box, ident)


def test_X05_a_container_is_removed_while_five_follow_it(box):
    ident = run(box, "busybox", "sh", "-c", "while :; do echo x; done")
    followers = [box.popen("logs", "-f", "--tail", "1", ident, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                 for _ in range(5)]
    box.ok("rm", "-f", ident)
    for follower in followers:
        follower.communicate(timeout=20)
        assert follower.returncode in (0, 1)
    ended(box, ident)
    assert not [f for f in box.files() if ident in f]


@pytest.fixture
def small_log(box):
    """A log folder of one megabyte."""
    folder = box.root / "containers"
    folder.mkdir(mode=0o710)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_X03_a_full_log_disk_stops_nothing_and_the_loss_is_counted(box, small_log):
    ident = run(box, "-i", "busybox", "sh", "-c", "seq 1 100000; echo done > /done; read x; echo after")
    # The whole output goes through whatever becomes of it.
    attached = box.popen("attach", ident, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while box("exec", ident, "test", "-e", "/done").code and time.monotonic() < deadline:
        pass
    kept = box.ok("logs", ident).splitlines()
    assert kept == [str(n) for n in range(1, len(kept) + 1)] and 0 < len(kept) < 100000
    subprocess.run(["mount", "-o", "remount,size=8m", small_log], check=True)
    attached.stdin.write(b"\n")
    attached.stdin.flush()
    attached.communicate(timeout=20)
    ended(box, ident)
    result = box("logs", ident)
    assert result.out.splitlines()[-1] == "after"
    lost = 100000 - len(kept)
    assert f"{lost} lines" in result.err and "No space left" in result.err
    box.ok("rm", ident)


def test_a_torn_record_of_a_killed_monitor_is_mended(box):
    ident = logged(box, "busybox", "echo", "one")
    path = pathlib.Path(box.inspect(ident)["LogPath"])
    with open(path, "ab") as f:
        f.write(b'{"log":"tor')
    assert box.ok("logs", ident) == "one\n"
    box.ok("start", ident)
    box.ok("wait", ident)
    ended(box, ident)
    assert box.ok("logs", ident) == "one\none\n"


def test_F10_random_kills_lose_no_record_that_was_logged(box):
    """A writer counts; the monitor, the client or the container is killed; what is in the log is a
    run of numbers without a gap, and nothing of the container is left after its removal."""
    for i in range(int(os.environ.get("KOGGE_FAULT_ROUNDS", "6"))):
        process = box.popen("run", "--name", f"w{i}", "busybox", "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); done",
                            stdout=subprocess.PIPE)
        seen = [process.stdout.readline() for _ in range(1 + 37 * i)]
        ident = box.inspect(f"w{i}")["Id"]
        victim = [monitor_of(ident), process.pid, box.inspect(ident)["State"]["Pid"]][i % 3]
        os.kill(victim, signal.SIGKILL)
        process.stdout.close()
        if i % 3 != 1:
            process.wait(20)
        else:
            process.wait(20)
            box.ok("kill", ident)
            box.ok("wait", ident)
        ended(box, ident)
        assert box.inspect(ident)["State"]["Status"] == "exited"
        numbers = [int(line) for line in box.ok("logs", ident).splitlines()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if numbers[0] == 0:
            assert len(numbers) >= len(seen)
        box.ok("rm", ident)
        assert not [f for f in box.files() if ident in f]


@pytest.mark.slow
def test_the_output_is_docker_s(box, docker, busybox_tar):
    docker.ok("import", busybox_tar, "busybox")
    # The streams are two pipes: which is read first is left to chance unless one waits.
    script = r"echo err >&2; sleep 0.3; echo out; head -c 40000 /dev/zero | tr '\0' y; echo; printf 'tab\t<&>\342\200\250 end'"
    docker.ok("run", "--name", "same", "--network", "none", "busybox", "sh", "-c", script)
    ident = logged(box, "--name", "same", "busybox", "sh", "-c", script)
    for args in ([], ["--tail", "1"], ["--tail", "0"], ["--details"]):
        theirs, ours = docker("logs", *args, "same"), box("logs", *args, "same")
        if args == ["--details"]:
            # Docker repeats the blank in the middle of a line that it stored in parts.
            continue
        assert (theirs.out, theirs.err, theirs.code) == (ours.out, ours.err, ours.code), args
    assert len(box.ok("logs", "-t", ident).splitlines()[0].split(" ")[0]) == \
        len(docker.ok("logs", "-t", "same").splitlines()[0].split(" ")[0])
    docker.ok("rm", "-f", "same")
