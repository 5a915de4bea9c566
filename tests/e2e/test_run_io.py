# SPDX-License-Identifier: Apache-2.0
"""`kogge run`: standard streams, exit codes, signals and terminals."""
import contextlib
import fcntl
import hashlib
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

pytestmark = pytest.mark.needs_root

SHELL = ("busybox", "sh", "-c")
MIB = 1 << 20


class Terminal:
    """A command on a terminal of its own, which is its controlling terminal."""

    def __init__(self, kogge, *args, size=(33, 111), stdin=True):
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.out = b""

        def own():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            os.tcsetpgrp(self.slave, os.getpgrp())
        self.process = kogge.popen(*args, stdin=self.slave if stdin else subprocess.DEVNULL, stdout=self.slave,
                                   stderr=self.slave, preexec_fn=own)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text, seconds=20):
        """Reads until TEXT was shown; returns what came before and it."""
        end = time.monotonic() + seconds
        while text.encode() not in self.out:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.master], [], [], left)[0], f"no '{text}' in {self.out!r}"
            self.out += os.read(self.master, 65536)
        at = self.out.index(text.encode()) + len(text)
        shown, self.out = self.out[:at], self.out[at:]
        return shown.decode(errors="replace")

    def wait(self, seconds=20):
        """The exit code; what is shown meanwhile is read so that nothing blocks."""
        fd = os.pidfd_open(self.process.pid)
        end = time.monotonic() + seconds
        try:
            while fd not in (ready := select.select([fd, self.master], [], [], max(0, end - time.monotonic()))[0]):
                assert ready, f"hung: {self.out!r}"
                self.out += os.read(self.master, 65536)
            while select.select([self.master], [], [], 0)[0]:
                self.out += os.read(self.master, 65536)
        finally:
            os.close(fd)
        return self.process.wait()

    @property
    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(box):
    made = []

    def make(*args, **options):
        made.append(Terminal(box, *args, **options))
        return made[-1]
    yield make
    for t in made:
        t.close()
    for name in box.ok("ps", "-aq").split():
        box("rm", "-f", name)


# -- streams ---------------------------------------------------------------------------------------

def test_64_mib_go_through_stdin_and_stdout(box):
    data = os.urandom(MIB) * 64
    result = box("run", "--rm", "-i", "busybox", "cat", input=data)
    assert result.code == 0
    assert hashlib.sha256(result.raw_out).digest() == hashlib.sha256(data).digest()


def test_both_outputs_are_whole_and_apart(box):
    script = "dd if=/dev/zero bs=1M count=16 2>/dev/null | tr '\\0' o & " \
             "dd if=/dev/zero bs=1M count=16 2>/dev/null | tr '\\0' e >&2; wait"
    result = box("run", "--rm", *SHELL, script)
    assert result.raw_out == b"o" * (16 * MIB) and result.raw_err == b"e" * (16 * MIB)


@pytest.mark.parametrize("kind", ["file", "append", "null", "devfull"])
def test_stdout_to_files(box, scratch, kind):
    path = {"null": "/dev/null", "devfull": "/dev/full"}.get(kind, scratch / "out")
    if kind == "append":
        path.write_text("before\n")
    with open(path, "ab" if kind == "append" else "wb") as out:
        process = box.popen("run", "--rm", *SHELL, "seq 200000", stdout=out, stderr=subprocess.PIPE)
        process.communicate(timeout=30)
    want = "".join(f"{i}\n" for i in range(1, 200001))
    if kind in ("file", "append"):
        assert path.read_text() == ("before\n" if kind == "append" else "") + want
        assert process.returncode == 0
    assert box.ok("ps", "-aq") == ""


def test_stdin_from_a_file_and_from_an_empty_pipe(box, scratch):
    (scratch / "in").write_bytes(b"x" * (3 * MIB))
    with open(scratch / "in", "rb") as f:
        assert box("run", "--rm", "-i", *SHELL, "wc -c", input=f).out == f"{3 * MIB}\n"
    assert box.ok("run", "--rm", "-i", *SHELL, "wc -c", input=b"") == "0\n"


def test_all_descriptors_closed(box):
    result = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *box.args("run", "--rm", *SHELL, "exit 4")],
                            timeout=30, check=False)
    assert result.returncode == 4


def test_stdout_closed_early_ends_the_writer(box):
    line = " ".join(f"'{a}'" for a in box.args("run", "--rm", "busybox", "yes"))
    result = subprocess.run(f"{line} | head -1", shell=True, timeout=30, check=False, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    assert result.stdout == b"y\n"
    assert box.ok("ps", "-aq") == ""


def test_stdin_that_stays_open_does_not_keep_the_container(box):
    process = box.popen("run", "--rm", "-i", *SHELL, "exit 5", stdin=subprocess.PIPE)
    assert process.wait(20) == 5
    process.stdin.close()


def test_a_reader_that_stops_early_does_not_kill_the_feeder_s_container(box):
    process = box.popen("run", "--rm", "-i", *SHELL, "head -c 5 >/dev/null; echo done", stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(b"x" * (8 * MIB))
    out, _ = process.communicate(timeout=20)
    assert out == b"done\n" and process.returncode == 0


def test_background_job_of_pid_1_ends_with_it(box):
    began = time.monotonic()
    assert box.ok("run", "--rm", *SHELL, "sleep 300 & echo started") == "started\n"
    assert time.monotonic() - began < 10


def test_slow_reader_gets_everything(box):
    process = box.popen("run", "--rm", *SHELL, "seq 300000", stdout=subprocess.PIPE)
    got = process.stdout.read(10)
    select.select([], [], [], 0.2)
    got += process.stdout.read()
    assert got == "".join(f"{i}\n" for i in range(1, 300001)).encode() and process.wait(20) == 0


# -- exit codes ------------------------------------------------------------------------------------

@pytest.mark.parametrize("code", [0, 1, 42, 125, 126, 127, 128, 255])
def test_exit_codes_are_the_programs(box, code):
    assert box("run", "--rm", *SHELL, f"exit {code}").code == code


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "ABRT", "HUP"])
def test_death_by_a_signal_is_128_and_its_number(box, name):
    # PID 1 cannot kill itself by a signal that it does not handle: somebody else has to.
    process = box.popen("run", "--rm", "--name", "victim", "--init", "--sig-proxy=false", *SHELL,
                        f"kill -{name} $$", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.wait(20) == 128 + getattr(signal, "SIG" + name)


def test_what_cannot_be_run(kogge, busybox_tar, scratch):
    from harness import images
    tar = images.busybox(scratch / "b.tar", {"bin/garbage": b"\x7fELF garbage", "bin/noshell": "#!/no/such/shell\n",
                                             "bin/text": "plain\n"})
    kogge.ok("import", tar, "odd")
    kogge.fails(127, "run", "--rm", "odd", "nosuchprogram", saying="nosuchprogram")
    kogge.fails(127, "run", "--rm", "odd", "/no/such/program", saying="/no/such/program")
    kogge.fails(126, "run", "--rm", "odd", "/etc", saying="/etc")
    kogge.fails(126, "run", "--rm", "odd", "/etc/passwd", saying="/etc/passwd")
    kogge.fails((126, 127), "run", "--rm", "odd", "/bin/noshell", saying="/bin/noshell")
    kogge.fails(126, "run", "--rm", "odd", "/bin/garbage", saying="/bin/garbage")
    kogge.fails(126, "run", "--rm", "odd", "/bin/text", saying="/bin/text")
    kogge.fails((126, 127), "run", "--rm", "odd", "", saying="")
    kogge.fails((126, 127), "run", "--rm", "odd", "/bin/sh/x", saying="/bin/sh/x")
    assert kogge.ok("ps", "-aq") == ""


def test_exit_codes_as_docker(box, docker, busybox_tar):
    docker.ok("import", busybox_tar, "busybox")
    for args in (["nosuch"], ["/etc"], ["/etc/passwd"], ["/no/such"], ["sh", "-c", "exit 9"], [""],
                 ["sh", "-c", "kill -9 1; exit 3"]):
        ours = box("run", "--rm", "--network", "none", "busybox", *args)
        theirs = docker("run", "--rm", "--network", "none", "busybox", *args)
        assert ours.code == theirs.code, f"{ours}\n{theirs}"
        assert ours.out == theirs.out


# -- signals ---------------------------------------------------------------------------------------

TRAPS = "trap 'echo got {0}; exit 21' {0}; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1", "USR2", "QUIT"])
def test_signals_reach_pid_1(box, name):
    process = box.popen("run", "--rm", *SHELL, TRAPS.format(name), stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(getattr(signal, "SIG" + name))
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == (f"got {name}\n".encode(), 21)


def test_many_signals_at_once_all_reach_pid_1(box):
    process = box.popen("run", "--rm", *SHELL, "n=0; trap 'exit 22' TERM; trap 'echo hup' HUP; echo ready; "
                        "while :; do sleep 0.05; done", stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    assert process.stdout.readline() == b"hup\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 22


def test_without_sig_proxy_the_client_ends_and_the_container_goes_on(box):
    process = box.popen("run", "--rm", "--name", "stays", "--sig-proxy=false", *SHELL, TRAPS.format("USR1"),
                        stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(20) != 0
    assert box.inspect("stays")["State"]["Running"]
    box.ok("kill", "-s", "USR1", "stays")
    box("wait", "stays")
    process.stdout.close()


def test_signal_before_the_program_runs_is_not_lost(box):
    """SIGTERM at any moment of the start: the client ends with it, or the container gets it."""
    for delay in (0.0, 0.001, 0.003, 0.006, 0.01, 0.02, 0.04):
        process = box.popen("run", "--rm", "--init", *SHELL, "sleep 60", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        select.select([], [], [], delay)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode in (-15, 143), f"after {delay} s"
    assert box.ok("ps", "-q") == ""


# -- terminals -------------------------------------------------------------------------------------

def test_terminal_has_its_size_from_the_first_byte(terminal):
    t = terminal("run", "--rm", "-it", "busybox", "stty", "size")
    assert t.wait() == 0
    assert b"33 111" in t.out and t.restored


def test_terminal_size_without_stdin(terminal):
    t = terminal("run", "--rm", "-t", "busybox", "stty", "size", stdin=False)
    # `stty` asks its stdin, which is the container's terminal.
    assert t.wait() == 0 and b"33 111" in t.out


def test_terminal_follows_the_window(terminal):
    t = terminal("run", "--rm", "-it", *SHELL, "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done")
    t.until("ready")
    t.resize(44, 99)
    t.until("44 99")
    t.resize(20, 40)
    t.until("20 40")
    t.process.kill()


def test_terminal_is_interactive_and_restored(terminal):
    t = terminal("run", "--rm", "-it", "busybox", "sh")
    t.until("/ #")
    assert not t.restored
    t.type("echo $((6*7))\n")
    t.until("\r\n42\r\n")
    t.type("exit 9\n")
    assert t.wait() == 9 and t.restored


def test_keys_go_to_the_container(terminal):
    t = terminal("run", "--rm", "-it", *SHELL, "trap 'echo got int' INT; echo ready; while :; do sleep 0.05; done")
    t.until("ready")
    t.type("\x03")
    t.until("got int")
    t.process.kill()


def test_ctrl_d_ends_a_shell_on_a_terminal(terminal):
    t = terminal("run", "--rm", "-it", "busybox", "cat")
    t.type("line\n")
    t.until("line\r\nline\r\n")
    t.type("\x04")
    assert t.wait() == 0 and t.restored


def test_terminal_is_restored_when_the_container_dies(terminal, box):
    t = terminal("run", "--rm", "-it", "--name", "dies", *SHELL, "echo ready; sleep 60")
    t.until("ready")
    box.ok("kill", "dies")
    assert t.wait() == 137 and t.restored


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT"])
@pytest.mark.parametrize("proxy", [True, False])
def test_terminal_is_restored_when_kogge_gets_a_signal(terminal, box, name, proxy):
    t = terminal("run", "--rm", "-it", "--name", "sig", f"--sig-proxy={str(proxy).lower()}", *SHELL,
                 "echo ready; sleep 60")
    t.until("ready")
    t.process.send_signal(getattr(signal, "SIG" + name))
    assert t.wait() == -getattr(signal, "SIG" + name) and t.restored
    assert box.inspect("sig")["State"]["Running"]
    box.ok("rm", "-f", "sig")


def test_terminal_is_restored_when_the_start_fails(terminal):
    t = terminal("run", "--rm", "-it", "busybox", "nosuchprogram")
    assert t.wait() == 127 and t.restored
    assert b"nosuchprogram" in t.out


def test_detach_keys_leave_the_container_running(terminal, box):
    t = terminal("run", "-it", "--name", "goes-on", "busybox", "sh")
    t.until("/ #")
    t.type("\x10\x11")
    assert t.wait() == 0 and t.restored
    assert box.inspect("goes-on")["State"]["Running"]
    box.ok("kill", "goes-on")
    assert box.ok("wait", "goes-on") == "137\n"
    end = time.monotonic() + 10  # what a monitor ends by itself is in the database a moment later
    while box.inspect("goes-on")["State"]["Running"]:
        assert time.monotonic() < end
    assert box.inspect("goes-on")["State"]["ExitCode"] == 137


def test_detach_keys_can_be_chosen_and_a_broken_sequence_is_typed(terminal, box):
    t = terminal("run", "--rm", "-it", "--name", "chosen", "--detach-keys", "ctrl-x,q", *SHELL,
                 "stty raw -echo; echo ready; head -c 3 | od -An -tx1; sleep 60")
    t.until("ready")
    t.type("\x18z\x10")
    t.until("18 7a 10")
    t.type("\x18q")
    assert t.wait() == 0 and t.restored
    box.ok("rm", "-f", "chosen")


def test_large_output_on_a_terminal_is_whole(terminal):
    t = terminal("run", "--rm", "-it", *SHELL, "stty -onlcr; seq 100000")
    assert t.wait(40) == 0
    assert t.out.decode().split() == [str(i) for i in range(1, 100001)]


def test_tty_needs_a_terminal_for_stdin(box):
    box.fails(1, "run", "--rm", "-it", "busybox", "true", saying="not a TTY")
    assert box.ok("ps", "-aq") == ""


def test_tty_output_into_a_pipe(box):
    result = box("run", "--rm", "-t", *SHELL, "echo a; echo b >&2")
    assert (result.out, result.err) == ("a\r\nb\r\n", "")


def test_terminal_hangs_up(terminal, box):
    """The terminal goes away: the client ends, and the container's fate is that of its signal."""
    t = terminal("run", "--rm", "-it", "--name", "hangs", "busybox", "sh")
    t.until("/ #")
    t.process.send_signal(signal.SIGHUP)
    t.process.kill()
    t.process.wait()
    box.ok("rm", "-f", "hangs")
