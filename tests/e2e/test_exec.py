# SPDX-License-Identifier: Apache-2.0
"""exec: a further process in a running container."""
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from harness import host, waiting

pytestmark = pytest.mark.needs_root

IDLE = ("sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done")


@pytest.fixture
def runs(box):
    """A running container `box1`."""
    box.ok("run", "-d", "--name", "box1", "-e", "OWN=1", "--label", "a=b", "busybox", *IDLE)
    yield box
    for _ in range(3):
        removal = box.popen("rm", "-f", "box1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda r=removal: r.poll() is not None, 40)
        if removal.returncode == 0:
            break


def alive_with(word):
    """The `sleep` processes of the machine that have WORD as their argument."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_bytes() == b"sleep\0" + word + b"\0":
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def reap_orphans():
    """What lost its parent is ours (host.isolate); a container does not end before it is reaped."""
    for pid, name in host.descendants().items():
        # busybox executes its own commands by /proc/self/exe: such a process is called "exe".
        if name.split()[0] in ("cat", "exe", "sh", "sleep") and name.endswith(" Z"):
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def until(check, seconds=20):
    """Meanwhile orphans are reaped: a container's end waits for them."""
    return waiting.until(check, seconds=seconds, between=reap_orphans)


# -- process --------------------------------------------------------------------------------------

def test_exit_code_and_streams_are_the_commands(runs):
    result = runs("exec", "box1", "sh", "-c", "echo out; echo err >&2; exit 9")
    assert (result.code, result.out, result.err) == (9, "out\n", "err\n")
    assert runs("exec", "box1", "sh", "-c", "kill -KILL $$").code == 137
    assert runs("exec", "-i", "box1", "cat", input="text" * 100000).out == "text" * 100000
    assert runs("exec", "box1", "cat", input="not for it").out == ""


def test_it_is_in_the_container(runs):
    pids = runs.ok("exec", "box1", "ps", "-o", "pid,args").splitlines()
    assert any(line.split()[0] == "1" for line in pids)
    inside = runs.ok("exec", "box1", "cat", "/proc/self/cgroup")
    assert runs.inspect("box1")["Id"] in inside or inside == "0::/\n"
    for kind in ("mnt", "pid", "net", "uts", "ipc"):
        link = runs.ok("exec", "box1", "readlink", f"/proc/self/ns/{kind}")
        assert link == runs.ok("exec", "box1", "readlink", f"/proc/1/ns/{kind}")


def test_environment_user_and_directory(runs, scratch):
    (scratch / "vars").write_text("# no\nFROM_FILE=x y\nHOME=/h\n")
    out = runs.ok("exec", "-e", "A=1", "-e", "OWN=2", "--env-file", scratch / "vars", "box1", "env")
    assert {"A=1", "OWN=2", "FROM_FILE=x y", "HOME=/h"} <= set(out.splitlines())
    assert f"HOSTNAME={runs.inspect('box1')['Id'][:12]}" in out.splitlines()
    assert "OWN=1" in runs.ok("exec", "box1", "env").splitlines()
    assert runs.ok("exec", "-e", "FROM_US", "box1", "sh", "-c", "echo $FROM_US", env={"FROM_US": "v"}) == "v\n"
    assert runs.ok("exec", "-u", "3:4", "box1", "sh", "-c", "id -u; id -g") == "3\n4\n"
    assert runs.ok("exec", "-w", "/tmp", "box1", "pwd") == "/tmp\n"
    assert "TERM=xterm" not in out.splitlines()


def test_capabilities_are_the_containers_unless_privileged(runs):
    def caps(*flags):
        return runs.ok("exec", *flags, "box1", "sed", "-n", "s/^CapEff:.//p", "/proc/self/status").strip()

    assert caps() == runs.ok("exec", "box1", "sed", "-n", "s/^CapEff:.//p", "/proc/1/status").strip()
    assert int(caps("--privileged"), 16) & ~int(caps(), 16)
    assert runs.ok("exec", "box1", "sed", "-n", "s/^Seccomp:.//p", "/proc/self/status") == "2\n"


def test_E02_it_gets_no_descriptor_of_ours(runs):
    """Three of its own, and the one by which ls reads the folder."""
    assert runs.ok("exec", "box1", "sh", "-c", "ls /proc/self/fd").split() == ["0", "1", "2", "3"]
    target = runs.ok("exec", "-i", "box1", "readlink", "/proc/self/fd/0", input=b"").strip()
    assert target.startswith("pipe:"), "a pipe of ours, never the user's own file"


# -- what cannot be -------------------------------------------------------------------------------

def test_what_fails_has_dockers_exit_codes(runs):
    runs.fails(127, "exec", "box1", "nosuch", saying="nosuch")
    runs.fails(126, "exec", "box1", "/etc", saying="/etc")
    runs.fails(126, "exec", "-u", "nouser", "box1", "true", saying="unable to find user nouser")
    runs.fails(126, "exec", "-w", "/nodir", "box1", "true", saying="/nodir")
    runs.fails(126, "exec", "-w", "nodir", "box1", "true", saying="absolute")
    runs.fails(1, "exec", "nosuch", "true", saying="no such container: nosuch")
    runs.fails(1, "exec", "../box1", "true", saying="no such container")
    runs.fails(1, "exec", "-it", "box1", "true", saying="the input device is not a TTY")
    runs.fails(1, "exec", "-d", "box1", "nosuch", saying="nosuch")
    runs.fails(125, "exec", "--bogus", "box1", "true", saying="unknown flag")
    runs.fails(125, "exec", "-e", "=", "box1", "true", saying="invalid environment variable: =")
    runs.fails(1, "exec", "--env-file", "/nosuch", "box1", "true", saying="/nosuch")
    runs.fails(1, "exec", "box1", saying="requires at least 2 arguments")
    runs.ok("pause", "box1")
    runs.fails(1, "exec", "box1", "true", saying="is paused, unpause the container before exec")
    runs.ok("unpause", "box1")
    runs.ok("stop", "box1")
    runs.fails(1, "exec", "box1", "true", saying="is not running")


def test_it_ends_with_the_container(runs):
    process = runs.popen("exec", "box1", "sh", "-c", "echo here; sleep 1000", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"here\n"
    runs.ok("kill", "box1")
    assert process.wait(20) == 137
    process.stdout.close()


# -- left behind ----------------------------------------------------------------------------------

def test_detached_goes_on_by_itself(runs):
    assert runs.ok("exec", "-d", "box1", "sleep", "98765") == ""
    assert len(alive_with(b"98765")) == 1
    runs.ok("exec", "-d", "-t", "box1", "sh", "-c", "tty >/tmp/tty; sleep 98766; :")
    until(lambda: runs("exec", "box1", "cat", "/tmp/tty").out.startswith("/dev/"))
    assert alive_with(b"98766"), "a terminal that nobody looks at is held for it"
    runs.ok("rm", "-f", "box1")
    until(lambda: not alive_with(b"98765") and not alive_with(b"98766"))


def exec_events(kogge, since):
    lines = kogge.ok("events", "--since", since, "--until", "0s", "--format", "{{json .}}").splitlines()
    return [e for e in map(json.loads, lines) if e["Action"].startswith("exec_")]


def exec_ids(kogge):
    return kogge.inspect("box1")["ExecIDs"]


def test_a_killed_client_leaves_the_process(runs):
    """It is known while it runs, and its end is told by whoever takes its client's place."""
    since = str(time.time())
    process = runs.popen("exec", "box1", "sh", "-c", "exec 2>/dev/null; sleep 98767; exit 9", stdout=subprocess.DEVNULL)
    until(lambda: alive_with(b"98767"))
    until(lambda: exec_ids(runs))
    ids = exec_ids(runs)
    process.kill()
    process.wait()
    assert len(alive_with(b"98767")) == 1
    assert exec_ids(runs) == ids and len(ids[0]) == 64
    os.kill(alive_with(b"98767")[0], signal.SIGTERM)
    until(lambda: [e for e in exec_events(runs, since) if e["Action"] == "exec_die"])
    died = {e["Actor"]["Attributes"]["execID"]: e["Actor"]["Attributes"]["exitCode"]
            for e in exec_events(runs, since) if e["Action"] == "exec_die"}
    assert died == {ids[0]: "9"}
    until(lambda: exec_ids(runs) is None)


def test_what_runs_is_known_and_ends_once(runs):
    since = str(time.time())
    clients = [runs.popen("exec", "box1", "sh", "-c", "read x", stdin=subprocess.DEVNULL) for _ in range(3)]
    clients += [runs.popen("exec", "-i", "box1", "cat", stdin=subprocess.PIPE) for _ in range(20)]
    until(lambda: len(exec_ids(runs) or ()) == 20)
    for client in clients[3:]:
        client.stdin.close()
    assert [c.wait(30) for c in clients] == [1] * 3 + [0] * 20
    until(lambda: exec_ids(runs) is None)
    died = [e["Actor"]["Attributes"]["execID"] for e in exec_events(runs, since) if e["Action"] == "exec_die"]
    assert len(died) == len(set(died)) == 23


def test_output_of_a_child_that_stays_does_not_hold_the_client(runs):
    start = time.monotonic()
    assert runs.ok("exec", "box1", "sh", "-c", "sleep 1000 & echo told") == "told\n"
    assert time.monotonic() - start < 8


# -- a terminal -----------------------------------------------------------------------------------

class Terminal:
    """`kogge exec` on a terminal of its own."""

    def __init__(self, kogge, *args, rows=24, columns=80):
        self.seen = b""
        self.master, slave = pty.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.process = kogge.popen("exec", *args, stdin=slave, stdout=slave, stderr=slave,
                                   start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, word, seconds=20):
        end = time.monotonic() + seconds
        while word not in self.seen:
            assert select.select([self.master], [], [], end - time.monotonic())[0], f"no {word} in {self.seen}"
            self.seen += os.read(self.master, 4096)
        self.seen = self.seen[self.seen.index(word) + len(word):]

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        code = self.process.wait(20)
        after = termios.tcgetattr(self.slave)
        os.close(self.master)
        os.close(self.slave)
        assert after == self.before, "the terminal was left changed"
        return code


def test_a_terminal_has_the_users_size_and_follows_it(runs):
    t = Terminal(runs, "-it", "box1", "sh", rows=33, columns=99)
    t.type(b"stty size; tty; echo $TERM\n")
    t.expect(b"33 99\r\n")
    t.expect(b"/dev/pts/")
    t.expect(b"xterm\r\n")
    t.size(44, 111)
    t.type(b"until [ \"$(stty size)\" = '44 111' ]; do :; done; echo re''sized\n")
    t.expect(b"resized")
    t.type(b"exit 7\n")
    assert t.end() == 7


def test_ctrl_c_goes_to_the_process(runs):
    t = Terminal(runs, "-it", "box1", "sh", "-c", "trap 'echo got''it; exit 3' INT; echo wa''iting; while :; do sleep 0.1; done")
    t.expect(b"waiting")
    t.type(b"\x03")
    t.expect(b"gotit")
    assert t.end() == 3


def test_detach_keys_leave_the_process(runs):
    t = Terminal(runs, "-it", "box1", "sh", "-c", "echo st''arted; sleep 98768")
    t.expect(b"started")
    t.type(b"\x10\x11")
    t.expect(b"read escape sequence")
    assert t.end() == 1
    until(lambda: alive_with(b"98768"))
    t = Terminal(runs, "-it", "--detach-keys", "ctrl-a,x", "box1", "cat")
    t.type(b"\x10\x11y\n")
    t.expect(b"y\r\n")
    t.type(b"\x01x")
    t.expect(b"read escape sequence")
    assert t.end() == 1


def test_a_client_that_is_told_to_end_restores_the_terminal(runs):
    """As in Docker the process goes on, on a terminal that nobody looks at."""
    t = Terminal(runs, "-it", "box1", "sh", "-c", "echo st''arted; sleep 98769")
    t.expect(b"started")
    t.process.send_signal(signal.SIGTERM)
    assert t.end() == -signal.SIGTERM
    until(lambda: alive_with(b"98769") and exec_ids(runs))


# -- Docker ---------------------------------------------------------------------------------------

def test_as_docker(runs, docker, busybox_tar):
    """The same commands, the same output and exit codes."""
    docker.ok("import", busybox_tar, "busybox")
    docker.ok("run", "-d", "--network", "none", "--name", "box1", "-e", "OWN=1", "--label", "a=b", "busybox", *IDLE)
    commands = (
        ("-e", "X=y", "box1", "sh", "-c", "env | grep -v HOSTNAME | sort"),
        ("-t", "box1", "sh", "-c", "env | grep -v HOSTNAME | sort"),
        ("-u", "1:2", "box1", "id"),
        ("-w", "/tmp", "box1", "pwd"),
        ("box1", "sh", "-c", "exit 9"),
        ("box1", "sh", "-c", "grep -E '^(Cap(Eff|Prm|Inh|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status"),
        ("box1", "sh", "-c", "ulimit -n; umask; cat /proc/self/oom_score_adj"),
        ("nosuch", "true"),
        ("-d", "box1", "true"),
        ("-d", "box1", "nosuch"),
    )
    try:
        for command in commands:
            ours, theirs = runs("exec", *command), docker("exec", *command)
            assert (ours.out, ours.code) == (theirs.out, theirs.code), f"{ours}\n{theirs}"
    finally:
        docker("rm", "-f", "box1")
