# SPDX-License-Identifier: Apache-2.0
"""kogge-runtime in the place of runc: under Docker, containerd and Podman, which use it unchanged.

Each of them starts its own daemon or monitor in folders of its own; the images hold busybox."""
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import time

import pytest

from harness import docker as docker_harness
from harness import program
from harness.waiting import until

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

RUNTIME = program.PROGRAMS / "kogge-runtime"
IMAGE = "busybox:test"
START_SECONDS = 60


def ask_for_tty(code):
    return [("tty\n", "/dev/pts/"), (f"exit {code}\n", None)]


def on_terminal(args, typed, env=None, seconds=60):
    """Runs ARGS on a terminal, types, and returns what it said and its exit code. TYPED is a text, or
    pairs of one and of what has to be said before the next one is typed."""
    master, slave = pty.openpty()
    child = subprocess.Popen([str(a) for a in args], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                             env=dict(os.environ, **(env or {})))
    os.close(slave)
    out, end = b"", time.monotonic() + seconds
    left = [(typed, None)] if isinstance(typed, str) else list(typed)
    os.write(master, left[0][0].encode())
    try:
        while time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    break
                out += data
                if len(left) > 1 and left[0][1].encode() in out:
                    left.pop(0)
                    os.write(master, left[0][0].encode())
            elif child.poll() is not None:
                break
        code = child.wait(10)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(master)
    return out.decode(errors="replace"), code


def limit_of(container, file, controller):
    """What the cgroup that CONTAINER's processes are in says, seen from the host."""
    for line in pathlib.Path(f"/proc/{container}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return pathlib.Path(f"/sys/fs/cgroup/{names}{path}/{file}").read_text().strip()
    return None


def memory_limit(pid):
    """The memory limit of a process's cgroup, on either version."""
    found = limit_of(pid, "memory.limit_in_bytes", "memory")
    if found is None:
        path = pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().split("::")[1]
        found = pathlib.Path(f"/sys/fs/cgroup{path}/memory.max").read_text().strip()
    return int(found)


def remove_cgroups(name):
    """The empty cgroups above its containers' that a peer keeps."""
    for top in pathlib.Path("/sys/fs/cgroup").glob(f"*/{name}"):
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)  # fails, rightly, where another daemon has processes
            except OSError:
                pass


def need(*names):
    for name in names:
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")
    if not RUNTIME.exists():
        pytest.skip("kogge-runtime is not built")


# ---- Docker ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def docker_kogge(session_folder, busybox_tar):
    """A Docker daemon whose default runtime is kogge-runtime."""
    reason = docker_harness.missing()
    if reason:
        pytest.skip(reason)
    need("docker")
    folder = session_folder / "docker-kogge"
    folder.mkdir()
    try:
        daemon = docker_harness.Docker(folder, "--add-runtime", f"kogge={RUNTIME}", "--default-runtime", "kogge").wait()
    except RuntimeError as e:
        pytest.skip(str(e))
    daemon.ok("import", busybox_tar, IMAGE)
    yield daemon
    daemon.stop()


@pytest.fixture
def dock(docker_kogge, host_unchanged):
    yield docker_kogge
    ids = docker_kogge.ok("ps", "-aq").split()
    if ids:
        docker_kogge("rm", "-f", *ids)


def docker_run(dock, *args, **options):
    return dock("run", "--rm", "--network", "none", *args, **options)


def test_docker_uses_this_runtime(dock):
    assert dock.ok("info", "--format", "{{.DefaultRuntime}}").strip() == "kogge"
    assert json.loads(dock.ok("info", "--format", "{{json .Runtimes}}"))["kogge"]["path"] == str(RUNTIME)


@pytest.mark.parametrize("args, code, said", [
    (["echo", "from inside"], 0, "from inside"),
    (["sh", "-c", "exit 7"], 7, ""),
    (["sh", "-c", "kill -9 $$; sleep 1; exit 3"], 3, ""),  # PID 1 takes no signal that it does not handle
    (["no-such-program"], 127, "no-such-program"),
    (["/etc/passwd"], 126, "permission denied"),
])
def test_docker_run_has_its_exit_codes(dock, args, code, said):
    result = docker_run(dock, IMAGE, *args)
    assert result.code == code, str(result)
    assert said.lower() in (result.out + result.err).lower(), str(result)


def test_docker_run_gives_what_is_asked_for(dock):
    out = docker_run(dock, "-u", "alice", "-w", "/tmp", "-e", "A=1", "--hostname", "box", "-m", "64m", "--pids-limit", "33",
                     "--cap-drop", "ALL", "--read-only", "--tmpfs", "/run", "--security-opt", "no-new-privileges",
                     "--ulimit", "nofile=99:99", IMAGE, "sh", "-c",
                     "id -u; pwd; echo $A; hostname; grep CapEff /proc/self/status; touch /x 2>&1; touch /run/x && echo wrote; "
                     "grep NoNewPrivs /proc/self/status; grep Seccomp: /proc/self/status; ulimit -n")
    assert out.code == 0, str(out)
    lines = out.out.split("\n")
    assert lines[:5] == ["1000", "/tmp", "1", "box", "CapEff:\t0000000000000000"], str(out)
    assert "Read-only file system" in lines[5] and lines[6] == "wrote"
    assert lines[7:10] == ["NoNewPrivs:\t1", "Seccomp:\t2", "99"]


def test_docker_run_with_a_terminal(dock):
    out, code = on_terminal(["docker", "run", "--rm", "-it", "--network", "none", IMAGE, "sh"],
                            "tty; stty size; exit 5\n", dock.env)
    assert code == 5, out
    assert "/dev/pts/0" in out


def test_docker_exec_joins_the_container(dock):
    name = dock.ok("run", "-d", "--network", "none", "--hostname", "box", "--memory", "64m", IMAGE, "sleep", "1000").strip()
    assert dock.ok("exec", name, "hostname").strip() == "box"
    assert dock.ok("exec", "-u", "alice", "-w", "/tmp", "-e", "B=2", name, "sh", "-c", "id -u; pwd; echo $B") == "1000\n/tmp\n2\n"
    assert dock("exec", "-i", name, "cat", input="through stdin").out == "through stdin"
    assert dock("exec", name, "sh", "-c", "exit 9").code == 9
    assert dock.ok("exec", name, "sh", "-c", "grep Seccomp: /proc/self/status").split() == ["Seccomp:", "2"]
    # It is in the container's cgroups, whatever these are called
    assert dock.ok("exec", name, "cat", "/proc/self/cgroup") == dock.ok("exec", name, "cat", "/proc/1/cgroup")
    out, code = on_terminal(["docker", "exec", "-it", name, "sh"], ask_for_tty(6), dock.env)
    assert code == 6 and "/dev/pts/" in out, out
    assert dock.ok("top", name).count("sleep") == 1


def test_docker_exec_fails_as_with_runc(dock):
    names = [dock.ok("run", "-d", "--network", "none", "--runtime", runtime, IMAGE, "sleep", "1000").strip()
             for runtime in ("kogge", "runc")]
    for args in (["no-such-program"], ["/no/such"], ["/etc/passwd"], ["/etc"]):
        ours, runcs = (dock("exec", name, *args).code for name in names)
        assert ours == runcs, args
    ours, runcs = (dock("exec", "-w", "/no/such", name, "true").code for name in names)
    assert ours == runcs


def test_docker_stats_are_the_containers(dock):
    """containerd reads the figures of whatever cgroups the process is in."""
    name = dock.ok("run", "-d", "--network", "none", IMAGE, "sleep", "1000").strip()
    figures = dock.ok("stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", name).split()
    assert figures[0] == "1", figures  # not those of the whole machine
    assert not figures[1].endswith("GiB"), figures
    pid = dock.ok("inspect", "-f", "{{.State.Pid}}", name).strip()
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        assert name in line, line


def test_docker_pause_update_kill_rm(dock):
    name = dock.ok("run", "-d", "--network", "none", "--memory", "64m", "--memory-swap", "64m", IMAGE, "sleep", "1000").strip()
    pid = dock.ok("inspect", "-f", "{{.State.Pid}}", name).strip()
    dock.ok("pause", name)
    assert dock.ok("inspect", "-f", "{{.State.Status}}", name).strip() == "paused"
    assert dock("exec", name, "true").code != 0
    dock.ok("unpause", name)
    assert dock.ok("exec", name, "echo", "again") == "again\n"
    dock.ok("update", "--memory", "48m", "--memory-swap", "48m", "--cpu-shares", "512", name)
    assert memory_limit(pid) == 48 << 20
    dock.ok("kill", "-s", "KILL", name)
    assert dock.ok("wait", name).strip() == "137"
    dock.ok("rm", name)
    other = dock.ok("run", "-d", "--network", "none", IMAGE, "sleep", "1000").strip()
    dock.ok("pause", other)
    dock.ok("rm", "-f", other)
    assert dock.ok("ps", "-aq") == ""


def test_docker_stop_start_and_logs(dock):
    name = dock.ok("run", "-d", "--network", "none", "--init", IMAGE, "sh", "-c", "echo begun; sleep 1000").strip()
    until(lambda: "begun" in dock.ok("logs", name), "the log")
    dock.ok("stop", "-t", "5", name)
    dock.ok("start", name)
    assert dock.ok("logs", name).count("begun") >= 1
    dock.ok("restart", "-t", "1", name)
    dock.ok("rm", "-f", name)


def test_docker_health_checks(dock):
    name = dock.ok("run", "-d", "--network", "none", "--health-cmd", "test -e /healthy", "--health-interval", "1s",
                     "--health-retries", "1", IMAGE, "sleep", "1000").strip()
    status = lambda: dock.ok("inspect", "-f", "{{.State.Health.Status}}", name).strip()  # noqa: E731
    until(lambda: status() == "unhealthy", "unhealthy")
    dock.ok("exec", name, "touch", "/healthy")
    until(lambda: status() == "healthy", "healthy")


# ---- containerd --------------------------------------------------------------------------------


class Containerd:
    """A containerd of its own, spoken to by ctr; only the plugins that a container needs."""

    def __init__(self, folder):
        self.folder, self.socket = folder, folder / "c.sock"
        config = folder / "config.toml"
        config.write_text(f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
                          'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                          f'[grpc]\naddress = "{self.socket}"\n[ttrpc]\naddress = "{folder}/t.sock"\n')
        self.log = open(folder / "log", "wb")
        self.daemon = subprocess.Popen(["containerd", "--config", config], stdout=self.log, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, start_new_session=True)

    def command(self, *args):
        return ["ctr", "--address", str(self.socket), "--namespace", "kogge-e2e", *[str(a) for a in args]]

    def __call__(self, *args, **options):
        return program.run(self.command(*args), **options)

    def ok(self, *args, **options):
        result = self(*args, **options)
        assert result.code == 0, str(result)
        return result.out

    def wait(self):
        def answers():
            assert self.daemon.poll() is None, (self.folder / "log").read_text(errors="replace")[-600:]
            return self.socket.exists() and self("version").code == 0
        until(answers, "containerd", START_SECONDS)
        return self

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.log.close()
        remove_cgroups("kogge-e2e")
        with open("/proc/self/mounts", encoding="utf-8") as f:
            below = [line.split()[1] for line in f if line.split()[1].startswith(str(self.folder))]
        for mount in sorted(below, reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)


@pytest.fixture(scope="module")
def containerd_daemon(session_folder):
    need("containerd", "ctr", "containerd-shim-runc-v2")
    folder = session_folder / "containerd"
    folder.mkdir()
    daemon = Containerd(folder)
    try:
        yield daemon.wait()
    finally:
        daemon.stop()


@pytest.fixture
def ctr(containerd_daemon, bundle):
    """ctr, and the arguments of a container on busybox's folder. The id is unique to the test."""
    yield containerd_daemon
    containerd_daemon("task", "kill", "-s", "SIGKILL", bundle.id)
    containerd_daemon("task", "delete", "--force", bundle.id)
    containerd_daemon("container", "delete", bundle.id)


def ctr_run(bundle, *args, options=()):
    return ["run", "--runtime", "io.containerd.runc.v2", "--runc-binary", RUNTIME, *options, "--rootfs", bundle.rootfs,
            bundle.id, *args]


@pytest.mark.leaves("cgroups")
def test_containerd_run_and_its_exit_code(ctr, bundle):
    result = ctr(*ctr_run(bundle, "sh", "-c", "echo from inside; exit 7", options=["--rm"]))
    assert (result.out, result.code) == ("from inside\n", 7), str(result)
    result = ctr(*ctr_run(bundle, "no-such-program", options=["--rm"]))
    assert result.code != 0 and "no-such-program" in result.err, str(result)


@pytest.mark.leaves("cgroups")
def test_containerd_exec_pause_kill_rm(ctr, bundle):
    ctr.ok(*ctr_run(bundle, "sleep", "1000", options=["-d"]))
    assert ctr.ok("task", "exec", "--exec-id", "a", bundle.id, "echo", "joined") == "joined\n"
    assert ctr("task", "exec", "--exec-id", "b", bundle.id, "sh", "-c", "exit 4").code == 4
    out, code = on_terminal(ctr.command("task", "exec", "-t", "--exec-id", "c", bundle.id, "sh"), ask_for_tty(6))
    assert code == 6 and "/dev/pts/" in out, out
    assert "sleep" in pathlib.Path(f"/proc/{ctr.ok('task', 'ps', bundle.id).split()[2]}/cmdline").read_text()
    ctr.ok("task", "pause", bundle.id)
    assert "PAUSED" in ctr.ok("task", "ls")
    ctr.ok("task", "resume", bundle.id)
    assert "RUNNING" in ctr.ok("task", "ls")
    ctr.ok("task", "kill", "-s", "SIGKILL", bundle.id)
    until(lambda: "STOPPED" in ctr.ok("task", "ls"), "the end")
    assert "137" in ctr("task", "delete", bundle.id).err + "137"
    ctr.ok("container", "delete", bundle.id)
    assert bundle.id not in ctr.ok("container", "ls")


@pytest.mark.leaves("cgroups")
def test_containerd_run_with_a_terminal(ctr, bundle):
    out, code = on_terminal(ctr.command(*ctr_run(bundle, "sh", options=["--rm", "-t"])), ask_for_tty(5))
    assert code == 5 and "/dev/pts/0" in out, out


# ---- Podman ------------------------------------------------------------------------------------


class Podman:
    """Podman with folders of its own; conmon between it and the runtime."""

    def __init__(self, folder):
        self.folder = folder
        self.options = ["--root", folder / "root", "--runroot", folder / "run", "--tmpdir", folder / "tmp", "--runtime", RUNTIME,
                        "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--storage-driver", "overlay"]

    def command(self, verb, *args):
        # Podman raises limits, which needs CAP_SYS_RESOURCE: name some that every machine has
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"] if verb in ("run", "create") else []
        network = ["--network", "none"] if verb in ("run", "create") else []
        return ["podman", *[str(o) for o in self.options], verb, *limits, *network, *[str(a) for a in args]]

    def __call__(self, *args, **options):
        return program.run(self.command(*args), **options)

    def ok(self, *args, **options):
        result = self(*args, **options)
        assert result.code == 0, str(result)
        return result.out

    def stop(self):
        self("rm", "-af", "-t", "0")
        self("rmi", "-af")
        remove_cgroups("libpod_parent")
        self.unmount()

    def unmount(self):
        """Takes down what podman mounted; its clean-up in the background may have left its store's folder."""
        with open("/proc/self/mounts", encoding="utf-8") as f:
            below = [line.split()[1] for line in f if line.split()[1].startswith(str(self.folder))]
        for mount in sorted(below, reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)


@pytest.fixture(scope="module")
def podman_home(session_folder, busybox_tar):
    need("podman", "conmon")
    folder = session_folder / "podman"
    folder.mkdir()
    home = Podman(folder)
    home.ok("import", busybox_tar, IMAGE)
    trial = home("run", "--rm", IMAGE, "true")
    if trial.code != 0:
        other = program.run(["podman", *[str(o) for o in home.options[:7]], "runc", *[str(o) for o in home.options[8:]],
                             *home.command("run", "--rm", IMAGE, "true")[1 + len(home.options):]])
        if other.code != 0:
            home.stop()
            pytest.skip(f"podman does not work here with runc either: {other.err.strip()[-200:]}")
    yield home
    home.stop()


@pytest.fixture
def podman(podman_home, host_unchanged):
    yield podman_home
    podman_home("rm", "-af", "-t", "0")
    podman_home.unmount()


@pytest.mark.leaves("cgroups")
@pytest.mark.parametrize("args, code", [(["true"], 0), (["sh", "-c", "exit 7"], 7), (["no-such-program"], 127),
                                        (["/etc/passwd"], 126)])
def test_podman_run_has_its_exit_codes(podman, args, code):
    result = podman("run", "--rm", IMAGE, *args)
    assert result.code == code, str(result)


@pytest.mark.leaves("cgroups")
def test_podman_run_exec_pause_update_kill_rm(podman):
    name = podman.ok("run", "-d", "--memory", "64m", IMAGE, "sleep", "1000").strip()
    pid = podman.ok("inspect", "-f", "{{.State.Pid}}", name).strip()
    assert podman.ok("exec", name, "sh", "-c", "echo joined; id -u") == "joined\n0\n"
    assert podman.ok("exec", "-u", "alice", "-w", "/tmp", "-e", "B=2", name, "sh", "-c", "id -u; pwd; echo $B") == "1000\n/tmp\n2\n"
    assert podman("exec", "-i", name, "cat", input="through stdin").out == "through stdin"
    assert podman("exec", name, "sh", "-c", "exit 9").code == 9
    assert podman("exec", name, "no-such-program").code == 127
    assert podman("exec", name, "/etc/passwd").code == 126
    out, code = on_terminal(podman.command("exec", "-it", name, "sh"), ask_for_tty(6))
    assert code == 6 and "/dev/pts/" in out, out
    podman.ok("pause", name)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", name).strip() == "paused"
    podman.ok("unpause", name)
    podman.ok("update", "--memory", "48m", name)
    assert memory_limit(pid) == 48 << 20
    podman.ok("kill", "-s", "KILL", name)
    assert podman.ok("wait", name).strip() == "137"
    podman.ok("rm", name)
    assert podman.ok("ps", "-aq") == ""


@pytest.mark.leaves("cgroups")
def test_podman_run_with_a_terminal(podman):
    out, code = on_terminal(podman.command("run", "--rm", "-it", IMAGE, "sh"), ask_for_tty(5))
    assert code == 5 and "/dev/pts/0" in out, out


@pytest.mark.leaves("cgroups")
def test_podman_stop_start_rm_force(podman):
    name = podman.ok("run", "-d", IMAGE, "sh", "-c", "trap 'exit 0' TERM; echo begun; while :; do sleep 1; done").strip()
    until(lambda: "begun" in podman.ok("logs", name), "the log")
    podman.ok("stop", "-t", "5", name)
    podman.ok("start", name)
    podman.ok("rm", "-f", "-t", "0", name)
