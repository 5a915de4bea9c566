# SPDX-License-Identifier: Apache-2.0
"""Programs under test, run to their end with a time limit, and what they said."""
import dataclasses
import json
import os
import pathlib
import signal
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("KOGGE_BUILD", TOP / "build")).resolve()
CACHE = pathlib.Path(os.environ.get("KOGGE_CACHE", TOP / "build" / "cache"))
# Programs in a meson build directory lie where their sources lie.
PROGRAMS = BUILD / "src" / "cmd" if (BUILD / "src" / "cmd").is_dir() else BUILD
# Where test programs lie, below the folders of their sources.
MESON = BUILD / "meson" if (BUILD / "meson").is_dir() else BUILD
SANITIZED = "asan" in BUILD.name or bool(os.environ.get("KOGGE_SANITIZED"))
SANITIZER_REPORT = (b"AddressSanitizer", b"LeakSanitizer", b"runtime error:")


@dataclasses.dataclass
class Result:
    """How a program ended. `code` is negative for a signal, as subprocess has it."""
    args: list
    code: int
    raw_out: bytes
    raw_err: bytes

    @property
    def out(self):
        return self.raw_out.decode(errors="replace")

    @property
    def err(self):
        return self.raw_err.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.raw_out)

    def __str__(self):
        return (f"{' '.join(map(str, self.args))}\nended with {self.code}\n"
                f"stdout: {self.out[-2000:]}\nstderr: {self.err[-2000:]}")


def run(args, input=None, timeout=60, env=None, **popen):
    """Runs ARGS to the end in a session of its own. INPUT is bytes, str, an open file, or None for
    an empty stdin. A program that outlasts TIMEOUT is killed and the test fails: a hang is a bug."""
    stdin = subprocess.DEVNULL
    if isinstance(input, str):
        input = input.encode()
    if hasattr(input, "fileno"):
        stdin, input = input, None
    elif input is not None:
        stdin = subprocess.PIPE
    process = subprocess.Popen([str(a) for a in args], stdin=stdin, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True,
                               env=dict(os.environ, **(env or {})), **popen)
    try:
        out, err = process.communicate(input, timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError("hung: " + str(Result(args, process.returncode, out, err))) from None
    result = Result(args, process.returncode, out, err)
    assert not any(word in err for word in SANITIZER_REPORT), f"sanitizer report: {result}"
    return result


NETWORK_FLAGS = ("--network", "--net", "--publish", "--ip", "--mac-address", "--link-local-ip", "-p", "-P")


def with_network(args, network):
    """A command line that makes containers, with --network NETWORK where it says nothing of networks."""
    words = [str(a) for a in args]
    at = 1 + (words[:1] in (["container"], ["image"], ["builder"]))
    if not network or words[at - 1:at] not in (["run"], ["create"], ["build"]) or \
            any(w.startswith(NETWORK_FLAGS) for w in words):
        return args
    return [*args[:at], "--network", network, *args[at:]]


class Kogge:
    """`kogge` with a store and a run directory of its own. Most tests need no network, and save its
    cost: with `network` as None their containers are on the default one, as a user's."""

    network = "none"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "root"
        self.run_root = self.folder / "run"
        self.program = PROGRAMS / "kogge"
        self.env = {}

    def args(self, *args):
        """The whole command line, for tests that start the process themselves."""
        return [str(a) for a in
                (self.program, "--root", self.root, "--run-root", self.run_root,
                 *with_network(args, self.network))]

    def __call__(self, *args, env=None, **options):
        """Runs a command and returns the Result, whatever it is."""
        return run(self.args(*args), env={**self.env, **(env or {})}, **options)

    def ok(self, *args, **options):
        """Runs a command that has to succeed; returns its output as text."""
        result = self(*args, **options)
        assert result.code == 0, str(result)
        return result.out

    def fails(self, code, *args, saying="", **options):
        """Runs a command that has to fail with CODE (one or a tuple) and to name what it tried:
        SAYING is part of the message. Returns the Result."""
        result = self(*args, **options)
        codes = code if isinstance(code, tuple) else (code,)
        assert result.code in codes, f"wanted exit code {code}: {result}"
        assert result.err.strip(), f"failed without a message: {result}"
        assert saying.lower() in result.err.lower(), f"wanted '{saying}' in the message: {result}"
        return result

    def popen(self, *args, env=None, **options):
        """Starts a command and returns the subprocess.Popen."""
        return subprocess.Popen(self.args(*args), env=dict(os.environ, **self.env, **(env or {})), **options)

    def inspect(self, name):
        return json.loads(self.ok("inspect", name))[0]

    def files(self):
        """All paths below root and run root, for tests that nothing was left behind."""
        found = set()
        for top in (self.root, self.run_root):
            for folder, dirs, files in os.walk(top):
                found |= {os.path.join(folder, name) for name in dirs + files}
        return {f for f in found if not f.endswith(("-wal", "-shm"))}
