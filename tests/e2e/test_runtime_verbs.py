# SPDX-License-Identifier: Apache-2.0
"""The verbs of kogge-runtime on a container that runs: exec, ps, pause, resume, update, events, kill,
list; and what is left when one of them is killed."""
import array
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import host, program
from harness.bundle import Bundle, wait_gone

pytestmark = pytest.mark.needs_root

RUNTIME = program.PROGRAMS / "kogge-runtime"
DOCKER_CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
               "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
               "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]
SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
           "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}


@pytest.fixture
def running(bundle):
    """A container that sleeps, with Docker's capabilities, limits and a filter."""
    caps = {name: DOCKER_CAPS for name in ("bounding", "effective", "permitted")}
    bundle.process.update(capabilities=caps, noNewPrivileges=False, rlimits=[], env=["PATH=/bin", "FROM=config"])
    bundle.config["hostname"] = "box"
    bundle.config["linux"]["seccomp"] = SECCOMP
    bundle.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 64}}
    return start(bundle)


def start(bundle, *args):
    assert bundle.create(*(args or ("/bin/sleep", "1000"))) == 0, bundle.out
    assert bundle.runtime("start", bundle.id).code == 0
    bundle.pid = int((bundle.folder / "pid").read_text())
    bundle.exec = lambda *a, **options: bundle.runtime("exec", *a, **options)
    bundle.inside = lambda script, *a, **options: bundle.exec(*a, bundle.id, "/bin/sh", "-c", script, **options)
    return bundle


def cgroup_file(pid, controller, *names):
    """The first of the files NAMES that a process's cgroup has: version 1's name, then version 2's."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, found, path = line.split(":", 2)
        if controller in found.split(","):
            return pathlib.Path(f"/sys/fs/cgroup/{found}{path}/{names[0]}")
        if not found and pathlib.Path(f"/sys/fs/cgroup{path}/{names[-1]}").exists():
            return pathlib.Path(f"/sys/fs/cgroup{path}/{names[-1]}")
    raise AssertionError(f"{controller}: no cgroup")


def adopt(pid):
    """This process is the reaper of what a detached exec leaves; a container's first process ends only
    when all others of its PID namespace are reaped."""
    threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()


def exec_detached(container, *args, options=()):
    """`exec --detach`; returns the PID of what runs."""
    pid_file = container.folder / "exec-pid"
    with open(container.folder / "exec.out", "wb") as out:
        subprocess.run([RUNTIME, "--root", container.states, "exec", "--detach", "--pid-file", pid_file, *options, container.id, *args],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=20, check=True)
    pid = int(pid_file.read_text())
    adopt(pid)
    return pid


# ---- exec: what the process gets ----------------------------------------------------------------


@pytest.mark.parametrize("args, code", [(["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137),
                                        (["no-such-program"], 127), (["/no/such"], 127), (["/etc/passwd"], 126), (["/etc"], 126)])
def test_exec_exit_codes(running, args, code):
    result = running.exec(running.id, *args)
    assert result.code == code, str(result)
    if code in (126, 127):
        assert args[0] in result.err


def test_exec_has_stdio_and_what_the_command_line_says(running):
    assert running.exec(running.id, "cat", input="through").out == "through"
    out = running.inside("echo $FROM $A; pwd; id -u; id -g; id -G; hostname; grep NoNewPrivs /proc/self/status",
                         "--env", "A=1", "--cwd", "/tmp", "--user", "1000:1001", "--additional-gids", "50", "--no-new-privs").out
    assert out == "config 1\n/tmp\n1000\n1001\n1001 50\nbox\nNoNewPrivs:\t1\n"


def test_exec_is_in_every_namespace_and_cgroup_of_the_container(running):
    ask = "for n in cgroup ipc mnt net pid user uts; do readlink /proc/PID/ns/$n; done; cat /proc/PID/cgroup"
    assert running.inside(ask.replace("PID", "self")).out == running.inside(ask.replace("PID", "1")).out
    for name in ("mnt", "net", "ipc", "uts", "pid"):
        assert os.readlink(f"/proc/{running.pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}")


def test_exec_has_the_containers_filter_and_root(running):
    out = running.inside("hostname x 2>&1; grep -E '^Seccomp:|^Seccomp_filters:' /proc/self/status; ls /; cat /proc/self/mountinfo | wc -l")
    assert "Seccomp:\t2" in out.out and "Seccomp_filters:\t1" in out.out, str(out)
    assert "Operation not supported" in out.out or "not permitted" in out.out, str(out)


def test_exec_follows_the_container_not_the_bundle(running):
    """A bundle that changes afterwards changes nothing."""
    changed = json.loads((running.folder / "config.json").read_text())
    changed["process"]["env"] = ["FROM=changed"]
    changed["linux"].pop("seccomp")
    (running.folder / "config.json").write_text(json.dumps(changed))
    assert "config\nSeccomp:\t2" in running.inside("echo $FROM; grep Seccomp: /proc/self/status").out
    (running.folder / "config.json").unlink()
    assert running.inside("echo $FROM").out == "config\n"


@pytest.mark.parametrize("options, caps", [
    ([], DOCKER_CAPS), (["--cap", "CAP_SYS_TIME"], DOCKER_CAPS + ["CAP_SYS_TIME"])])
def test_E21_exec_has_nothing_inheritable(running, options, caps):
    out = running.inside("grep Cap /proc/self/status", *options).out
    values = dict(line.split(":\t") for line in out.splitlines())
    assert values["CapInh"] == values["CapAmb"] == "0" * 16
    assert bin(int(values["CapBnd"], 16)).count("1") == len(caps)
    assert values["CapEff"] == values["CapPrm"] == values["CapBnd"]


@pytest.mark.parametrize("user", ["-1", "4294967295", "4294967296", "0x0", "+0", " 0", "1000:", "root", "1:2:3"])
def test_E20_exec_refuses_a_user_that_is_no_number(running, user):
    result = running.inside("id -u", "--user", user)
    assert result.code == 1 and "--user" in result.err, str(result)


def test_exec_with_a_process_file(running):
    process = {"args": ["/bin/sh", "-c", "id -u; id -G; pwd; ulimit -n; cat /proc/self/oom_score_adj; umask; echo $B"],
               "cwd": "/tmp", "env": ["B=2", "PATH=/bin"], "user": {"uid": 1000, "gid": 1000, "additionalGids": [50], "umask": 7},
               "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 77}], "oomScoreAdj": 500}
    path = running.folder / "process.json"
    path.write_text(json.dumps(process))
    assert running.exec("--process", path, running.id).out == "1000\n1000 50\n/tmp\n77\n500\n0007\n2\n"


@pytest.mark.parametrize("text, words", [
    ("", "process"), ("{", "process"), ("[]", "process"), ("{}", "process.args"), ('{"args": ["true"]}', "process.cwd"),
    ('{"args": ["true"], "cwd": "tmp"}', "process.cwd"), ('{"args": [], "cwd": "/"}', "process.args"),
    ('{"args": ["true"], "cwd": "/", "user": {"uid": -1}}', "uid"),
    ('{"args": ["true"], "cwd": "/", "rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}', "rlimits"),
    ('{"args": ["true"], "cwd": "/no/such"}', "/no/such")])
def test_exec_refuses_a_bad_process_file(running, text, words):
    path = running.folder / "process.json"
    path.write_text(text)
    result = running.exec("--process", path, running.id)
    assert result.code == 1 and words in result.err, str(result)


def test_exec_with_a_terminal(running):
    """Its own one of the container's devpts, as controlling terminal, and the size that was asked for."""
    process = {"args": ["/bin/sh", "-c", "tty; stty size; ps -o pid,tty | grep -c pts; echo here > /dev/tty; exit 5"],
               "cwd": "/", "env": ["PATH=/bin"], "terminal": True, "consoleSize": {"height": 33, "width": 99}}
    path = running.folder / "process.json"
    path.write_text(json.dumps(process))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(running.folder / "console"))
    listener.listen(1)
    exec_detached(running, options=["--process", path, "--console-socket", running.folder / "console"])
    connection, _ = listener.accept()
    _, control, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
    master = array.array("i", control[0][2])[0]
    said = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        said += data
    os.close(master)
    connection.close()
    listener.close()
    assert said.decode().split()[:3] == ["/dev/pts/0", "33", "99"] and b"here" in said


def test_exec_detached_leaves_its_pid(running):
    pid = exec_detached(running, "sleep", "100")
    assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{running.pid}/ns/pid")
    assert pid in running.runtime("ps", "--format", "json", running.id).json
    running.delete()
    wait_gone(pid)


def test_exec_hands_descriptors_over_and_no_others(running):
    """E02: what is not named does not reach the process, whatever the caller leaves open."""
    leaked = [os.open("/", os.O_PATH) for _ in range(30)]
    with open(running.folder / "handed", "w+") as handed:
        def place():
            os.dup2(handed.fileno(), 3)
            os.set_inheritable(3, True)
            for fd in leaked:
                os.set_inheritable(fd, True)
        result = program.run([RUNTIME, "--root", running.states, "exec", "--preserve-fds", "1", running.id, "sh", "-c",
                              "echo through >&3; ls /proc/self/fd"], preexec_fn=place, close_fds=False)
        handed.seek(0)
        assert handed.read() == "through\n"
    for fd in leaked:
        os.close(fd)
    assert result.out.split() == ["0", "1", "2", "3", "4"], str(result)  # 4 is ls's own


def test_exec_into_a_cgroup_below_the_containers(running):
    top = cgroup_file(running.pid, "memory", "memory.limit_in_bytes", "memory.max").parent
    (top / "sub").mkdir()
    line = [x for x in running.inside("cat /proc/self/cgroup", "--cgroup", "/sub").out.splitlines() if "/sub" in x]
    assert len(line) == 1
    for bad in ("../..", "no-such", "/.."):
        assert running.inside("true", "--cgroup", bad).code == 1
    (top / "sub").rmdir()


def test_exec_needs_a_container_that_runs(bundle):
    assert bundle.runtime("exec", "no-such", "true").code == 1
    assert bundle.create("/bin/true") == 0
    assert bundle.runtime("exec", bundle.id, "/bin/echo", "before start").out == "before start\n"
    pid = bundle.state()["pid"]
    assert bundle.runtime("start", bundle.id).code == 0
    wait_gone(pid)
    result = bundle.runtime("exec", bundle.id, "true")
    assert result.code == 1 and "stopped" in result.err, str(result)


@pytest.fixture
def ordinary(scratch, busybox_tar, host_unchanged):
    """A container of an ordinary user without subordinate IDs."""
    user = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--inh-caps=-all"]
    scratch.chmod(0o777)
    made = Bundle(scratch, busybox_tar, prefix=user, spec=["--rootless"])
    made.process["rlimits"] = []
    made.write()
    (scratch / "pid").touch()
    (scratch / "pid").chmod(0o666)
    if made.run("/bin/true").code != 0:
        pytest.skip("no user namespaces for ordinary users here")
    yield start(made)
    made.delete()


def test_exec_by_an_ordinary_user(ordinary):
    out = ordinary.inside("id -u; cat /proc/self/uid_map; grep NSpid /proc/self/status | wc -w").out.split()
    assert out == ["0", "0", "1000", "1", "2"]
    for name in ("mnt", "pid", "user", "uts", "ipc"):
        ask = f"readlink /proc/PID/ns/{name}"
        assert ordinary.inside(ask.replace("PID", "self")).out == ordinary.inside(ask.replace("PID", "1")).out
    assert ordinary.inside("exit 9").code == 9
    assert ordinary.exec(ordinary.id, "no-such-program").code == 127
    assert ordinary.exec(ordinary.id, "cat", input="through").out == "through"
    assert ordinary.runtime("kill", "--all", ordinary.id, "KILL").code == 0
    wait_gone(ordinary.pid)


def test_exec_into_a_user_namespace(bundle):
    """Mapped IDs, and no right over the caller's namespaces."""
    linux = bundle.config["linux"]
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.process.update(rlimits=[], oomScoreAdj=100)
    for path in (bundle.folder, *bundle.folder.parents[:1], bundle.rootfs):
        path.chmod(0o755)
    if bundle.run("/bin/true").code != 0:
        pytest.skip("no user namespaces here")
    start(bundle)
    out = bundle.inside("id -u; cat /proc/self/uid_map; cat /proc/self/oom_score_adj", "--user", "7:8").out.split()
    assert out == ["7", "0", "100000", "65536", "100"]
    pid = exec_detached(bundle, "sleep", "100")
    assert os.stat(f"/proc/{pid}").st_uid == 100000
    bundle.runtime("kill", bundle.id, "KILL")
    wait_gone(pid)


def test_exec_into_a_container_without_a_mount_namespace_keeps_its_root(bundle):
    linux = bundle.config["linux"]
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "mount"]
    bundle.config["mounts"] = []
    linux["maskedPaths"] = linux["readonlyPaths"] = []
    bundle.process["rlimits"] = []
    (bundle.rootfs / "inside").touch()
    if bundle.run("/bin/true").code != 0:
        pytest.skip("not possible here")
    start(bundle)
    assert "inside" in bundle.inside("ls /; ls /..").out.split()
    assert "boot" not in bundle.inside("ls /../..").out.split()


# ---- exec: attacks ------------------------------------------------------------------------------


@pytest.mark.parametrize("fd", range(3, 20))
def test_E01_exec_cwd_through_a_descriptor_stays_inside(running, fd):
    (running.rootfs / f"link{fd}").symlink_to(f"/proc/self/fd/{fd}")
    for path in (f"/proc/self/fd/{fd}", f"/proc/self/fd/{fd}/../../..", f"/link{fd}", f"/link{fd}/.."):
        result = running.exec("--cwd", path, running.id, "sh", "-c", "pwd; ls /proc/self/cwd/")
        assert result.code != 0 or "etc" in result.out.split(), str(result)
        assert "boot" not in result.out.split() and "lib64" not in result.out.split(), str(result)


def test_E03_exec_leaves_no_way_to_write_our_programs(bundle):
    """A container that waits for every new process and opens its program for writing."""
    attack = ("while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] && continue; "
              "if { echo spoiled > $p/exe; } 2>/dev/null; then touch /written; fi; done; done")
    start(bundle, "/bin/sh", "-c", attack)
    for _ in range(60):
        bundle.exec(bundle.id, "/bin/true")
    assert not (bundle.rootfs / "written").exists()
    assert bundle.exec(bundle.id, "/bin/echo", "fine").out == "fine\n"  # programs are compared by the harness


def test_E03_exec_of_proc_self_exe_is_not_our_program(running):
    for path in ("/proc/self/exe", "/bin/self"):
        if path == "/bin/self":
            (running.rootfs / "bin/self").symlink_to("/proc/self/exe")
        result = running.exec(running.id, path)
        assert result.code in (1, 126, 127) or "usage" not in result.out, str(result)


def test_E04_the_container_cannot_look_into_a_process_that_joins(running):
    """Root of the container reads root, descriptors and memory of whatever appears."""
    peek = ("end=$(($(date +%s) + 4)); while [ $(date +%s) -lt $end ]; do for p in /proc/[0-9]*; do "
            "[ -e $p/root/CANARY ] && echo host; case $(readlink $p/exe) in *kogge*) ls $p/fd/ 2>/dev/null | grep -q 3 && echo fds;; esac; "
            "done; done; echo done")
    marker = pathlib.Path("/CANARY")
    if marker.exists():
        pytest.skip("/CANARY exists")
    marker.write_text("host\n")
    try:
        with open(running.folder / "peek.out", "w+") as out:
            spy = subprocess.Popen([RUNTIME, "--root", running.states, "exec", running.id, "sh", "-c", peek],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
            while spy.poll() is None:
                running.exec(running.id, "/bin/true")
            out.seek(0)
            assert out.read() == "done\n"
    finally:
        marker.unlink()


def test_E37_a_container_that_covers_its_proc_changes_nothing(bundle):
    bundle.process["capabilities"]["bounding"] += ["CAP_SYS_ADMIN"]
    for name in ("effective", "permitted"):
        bundle.process["capabilities"][name] += ["CAP_SYS_ADMIN"]
    start(bundle, "/bin/sh", "-c", "mount -t tmpfs none /proc && mkdir -p /proc/self/attr && touch /ready; sleep 1000")
    end = time.monotonic() + 10
    while not (bundle.rootfs / "ready").exists() and time.monotonic() < end:
        select.select([], [], [], 0.02)
    result = bundle.exec(bundle.id, "/bin/sh", "-c", "hostname; ls /proc")
    assert result.code == 0 and "attr" not in result.out and "self" in result.out, str(result)


def test_E37_exec_while_the_container_ends_leaves_no_process(bundle):
    for round_ in range(8):
        start(bundle)
        results = []
        workers = [threading.Thread(target=lambda: results.append(bundle.exec(bundle.id, "/bin/sleep", "0.2").code)) for _ in range(4)]
        for worker in workers:
            worker.start()
        select.select([], [], [], 0.002 * round_)
        assert bundle.runtime("kill", bundle.id, "KILL").code == 0
        for worker in workers:
            worker.join(30)
        assert set(results) <= {0, 1, 137}, results
        bundle.delete()
    assert bundle.leftovers() == []


# ---- pause, resume, update ----------------------------------------------------------------------


def test_pause_and_resume(running):
    counter = running.rootfs / "count"
    exec_detached(running, "sh", "-c", "while :; do echo x >> /count; sleep 0.01; done")
    assert running.runtime("pause", running.id).code == 0
    assert running.state()["status"] == "paused"
    before = counter.stat().st_size if counter.exists() else 0
    select.select([], [], [], 0.2)
    assert (counter.stat().st_size if counter.exists() else 0) == before
    assert running.runtime("pause", running.id).code == 1
    assert running.exec(running.id, "true").code == 1
    assert running.runtime("resume", running.id).code == 0
    assert running.state()["status"] == "running"
    assert running.runtime("resume", running.id).code == 1
    assert running.exec(running.id, "true").code == 0


def test_a_created_container_can_be_paused(bundle):
    """As with runc: it is started when it was resumed."""
    assert bundle.create("/bin/sleep", "1000") == 0, bundle.out
    assert bundle.runtime("pause", bundle.id).code == 0
    assert bundle.state()["status"] == "paused"
    for verb in ("pause", "start", "delete"):
        assert "is paused" in bundle.runtime(verb, bundle.id).err
    assert bundle.runtime("resume", bundle.id).code == 0
    assert bundle.state()["status"] == "created"
    assert bundle.runtime("pause", bundle.id, env={"KOGGE_FAILPOINTS": "runtime.freeze.before=kill"}).code == -9
    assert bundle.state()["status"] == "created"
    assert bundle.runtime("start", bundle.id).code == 0
    assert bundle.state()["status"] == "running"


def test_exec_ignoring_the_pause_waits_for_the_end_of_it(running):
    assert running.runtime("pause", running.id).code == 0
    waiting = subprocess.Popen([RUNTIME, "--root", running.states, "exec", "--ignore-paused", running.id, "true"],
                               stdin=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.3)
    assert running.runtime("resume", running.id).code == 0
    assert waiting.wait(10) == 0


@pytest.mark.parametrize("verb", [["kill", "ID", "KILL"], ["kill", "--all", "ID", "KILL"], ["delete", "--force", "ID"]])
def test_X14_a_paused_container_can_be_killed(running, verb):
    assert running.runtime("pause", running.id).code == 0
    assert running.runtime(*[running.id if word == "ID" else word for word in verb]).code == 0
    wait_gone(running.pid)
    assert not os.path.exists(f"/proc/{running.pid}") or "State:\tZ" in pathlib.Path(f"/proc/{running.pid}/status").read_text()


UPDATES = [
    (["--memory", "48m"], "memory", ("memory.limit_in_bytes", "memory.max"), "50331648"),
    (["--memory", "50000000", "--memory-swap", "60000000"], "memory", ("memory.limit_in_bytes", "memory.max"), "49999872"),
    (["--pids-limit", "20"], "pids", ("pids.max",), "20"),
    (["--pids-limit", "-1"], "pids", ("pids.max",), "max"),
]


@pytest.mark.parametrize("options, controller, files, value", UPDATES)
def test_update_by_options(running, options, controller, files, value):
    result = running.runtime("update", *options, running.id)
    assert result.code == 0, str(result)
    assert cgroup_file(running.pid, controller, *files).read_text().strip() == value


def test_update_by_json(running):
    resources = {"memory": {"limit": 40 << 20}, "pids": {"limit": 30}, "cpu": {"shares": 512}, "unknown": 1}
    result = running.runtime("update", "--resources", "-", running.id, input=json.dumps(resources))
    assert result.code == 0, str(result)
    assert cgroup_file(running.pid, "memory", "memory.limit_in_bytes", "memory.max").read_text().strip() == str(40 << 20)
    assert cgroup_file(running.pid, "pids", "pids.max").read_text().strip() == "30"
    (running.folder / "r.json").write_text('{"pids": {"limit": 31}}')
    assert running.runtime("update", "-r", running.folder / "r.json", running.id).code == 0
    assert cgroup_file(running.pid, "pids", "pids.max").read_text().strip() == "31"


def test_E24_update_does_not_loosen_the_devices(running):
    ask = "mknod /tmp/d b 7 0 2>/dev/null; cat /tmp/d 2>&1 | head -c 1; rm -f /tmp/d; mknod /tmp/k c 1 11; cat /tmp/k 2>&1; rm -f /tmp/k"
    before = running.inside(ask).out
    assert "not permitted" in before
    assert running.runtime("update", "--memory", "48m", running.id).code == 0
    assert running.runtime("update", "-r", "-", running.id, input='{"pids": {"limit": 40}}').code == 0
    assert running.inside(ask).out == before


@pytest.mark.parametrize("args, input_, words", [
    (["--memory", "much"], None, "--memory"), (["--cpu-quota", "1.5"], None, "--cpu-quota"), (["--no-such", "1"], None, "--no-such"),
    (["-r", "-"], "{", "resources"), (["-r", "-"], '{"memory": {"limit": "1"}}', "memory.limit"), (["-r", "/no/such"], None, "/no/such"),
    (["--l3-cache-schema", "x"], None, "intelRdt"), (["--memory", "1"], None, "memory")])
def test_update_says_what_it_refuses(running, args, input_, words):
    result = running.runtime("update", *args, running.id, input=input_)
    assert result.code == 1 and words in result.err, str(result)


# ---- kill, ps, list, state, events --------------------------------------------------------------


@pytest.mark.parametrize("name", ["USR1", "SIGUSR1", "usr1", "10"])
def test_kill_by_name_and_number(bundle, name):
    start(bundle, "/bin/sh", "-c", "trap 'exit 33' USR1; touch /ready; while :; do sleep 0.01; done")
    end = time.monotonic() + 10
    while not (bundle.rootfs / "ready").exists() and time.monotonic() < end:
        select.select([], [], [], 0.01)
    assert bundle.runtime("kill", bundle.id, name).code == 0
    wait_gone(bundle.pid)
    assert bundle.state()["status"] == "stopped"
    assert bundle.runtime("kill", bundle.id, name).code == 1


def test_kill_all_reaches_every_process(running):
    for _ in range(3):
        exec_detached(running, "sleep", "1000")
    pids = running.runtime("ps", "-f", "json", running.id).json
    assert len(pids) == 4
    assert running.runtime("kill", "--all", running.id, "TERM").code == 0
    for pid in pids:
        if pid != running.pid:
            wait_gone(pid)  # PID 1 has no handler and stays
    assert running.state()["status"] == "running"
    assert running.runtime("kill", "-a", running.id, "9").code == 0
    wait_gone(running.pid)
    assert running.runtime("kill", "--all", running.id, "9").code == 0


@pytest.mark.parametrize("name", ["NOSUCH", "0", "65", "-1", ""])
def test_kill_refuses_what_is_no_signal(running, name):
    assert running.runtime("kill", running.id, name).code == 1


def test_ps_as_a_table_and_as_json(running):
    table = running.runtime("ps", running.id).out.splitlines()
    assert len(table) == 2 and "PID" in table[0] and str(running.pid) in table[1] and "sleep" in table[1]
    assert running.runtime("ps", running.id, "-o", "pid,args").out.splitlines()[1].split() == [str(running.pid), "/bin/sleep", "1000"]
    assert running.runtime("ps", running.id, "-o", "args").code == 1
    assert running.runtime("ps", "--format", "json", running.id).json == [running.pid]
    assert running.runtime("ps", "--format", "xml", running.id).code == 1


def test_list_and_state(running):
    state = running.state()
    assert {k: state[k] for k in ("id", "status", "pid", "bundle", "rootfs")} == {
        "id": running.id, "status": "running", "pid": running.pid, "bundle": str(running.folder), "rootfs": str(running.rootfs)}
    assert running.runtime("list", "-q").out == running.id + "\n"
    listed = running.runtime("list", "-f", "json").json
    assert len(listed) == 1 and listed[0]["owner"] == "root" and listed[0]["id"] == running.id
    head, line = running.runtime("list").out.splitlines()
    assert head.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"] and line.split()[0] == running.id


def test_events_stats_have_runcs_form(running):
    event = running.runtime("events", "--stats", running.id).json
    assert (event["type"], event["id"]) == ("stats", running.id)
    assert set(event["data"]) >= {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"}
    assert event["data"]["pids"] == {"current": 1, "limit": 64}
    assert event["data"]["memory"]["usage"]["limit"] == 64 << 20
    assert event["data"]["cpuset"]["sched_load_balance"] in (0, 1)
    assert event["data"]["cpu"]["usage"]["total"] > 0 or event["data"]["cpu"]["usage"]["user"] >= 0


def test_events_tell_of_memory_and_end_with_the_container(running):
    with open(running.folder / "events", "w+") as out:
        events = subprocess.Popen([RUNTIME, "--root", running.states, "events", "--interval", "100ms", running.id],
                                  stdin=subprocess.DEVNULL, stdout=out)
        end = time.monotonic() + 10
        while not out.seek(0) and "stats" not in out.read() and time.monotonic() < end:
            select.select([], [], [], 0.05)
        running.inside("tail -c 200000000 /dev/zero | wc -c")
        while '"oom"' not in (running.folder / "events").read_text() and time.monotonic() < end:
            select.select([], [], [], 0.05)
        assert running.runtime("kill", running.id, "KILL").code == 0
        assert events.wait(10) == 0
    lines = [json.loads(line) for line in (running.folder / "events").read_text().splitlines()]
    assert {"type": "oom", "id": running.id} in lines
    assert any(line["type"] == "stats" for line in lines)


# ---- options, errors, states that are damaged ---------------------------------------------------


@pytest.mark.parametrize("args, words", [
    (["no-such-verb"], "no-such-verb"), (["state"], "ID"), (["state", "a", "b"], "too many"), (["kill", "--no-such", "a"], "--no-such"),
    (["create", "--bundle"], "needs a value"), (["create", "--preserve-fds", "x", "a"], "--preserve-fds"),
    (["--log-format", "xml", "list"], "--log-format"), (["--rootless", "perhaps", "list"], "--rootless"),
    (["exec", "--detach=perhaps", "a", "true"], "--detach"), (["events", "--interval", "x", "a"], "--interval")])
def test_a_bad_command_line_is_refused(bundle, args, words):
    result = bundle.runtime(*args)
    assert result.code == 1 and words in result.err, str(result)


def test_options_are_written_as_runcs_users_know_them(bundle):
    bundle.process["args"] = ["/bin/true"]
    bundle.write()
    for options in (["--bundle", bundle.folder], [f"--bundle={bundle.folder}"], ["-b", bundle.folder], ["-bundle", bundle.folder]):
        assert bundle.runtime("run", *options, bundle.id).code == 0
    for verb in ("create", "start", "run", "exec", "state", "kill", "delete", "list", "ps", "pause", "resume", "update", "events",
                 "spec", "features"):
        help_ = bundle.runtime(verb, "--help")
        assert help_.code == 0 and verb in help_.out


def test_a_relative_state_folder_is_made(bundle):
    bundle.process["args"] = ["/bin/true"]
    bundle.write()
    result = program.run([RUNTIME, "--root", "made/here", "run", "--bundle", ".", bundle.id], cwd=bundle.folder)
    assert result.code == 0 and list((bundle.folder / "made/here").iterdir()) == [], str(result)


def test_sockets_of_a_service_manager_are_handed_over(bundle):
    """sd_listen_fds(3): what LISTEN_FDS says for this process comes after stdio, and is told inside."""
    script = "echo $LISTEN_FDS $LISTEN_PID; ls /proc/self/fd | wc -l; cat <&3"
    bundle.process["args"] = ["/bin/sh", "-c", script]
    bundle.write()
    (bundle.folder / "given").write_text("from outside\n")
    command = (f"exec env LISTEN_FDS=1 LISTEN_PID=$$ {RUNTIME} --root {bundle.states} run --bundle {bundle.folder} {bundle.id} "
               f"3<{bundle.folder}/given")
    result = program.run(["sh", "-c", command])
    assert result.out.split() == ["1", "1", "5", "from", "outside"], str(result)


def test_errors_as_json(bundle):
    result = bundle.runtime("--log-format", "json", "state", "no-such")
    assert json.loads(result.err)["level"] == "error" and "no-such" in json.loads(result.err)["msg"]
    log = bundle.folder / "log.json"
    bundle.runtime("--log", log, "--log-format", "json", "--debug", "state", "no-such")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["level"] for line in lines] == ["debug", "error"]


ROOTS = """
ls / | tr '\\n' ' '; cat /etc/marker; test -e /proc/self/ns/mnt && echo own proc; ls /proc/1/root | tr '\\n' ' '
"""


def test_without_pivot_root_the_container_has_its_own_root_all_the_same(bundle):
    """--no-pivot as runc has it."""
    (bundle.rootfs / "etc").mkdir(exist_ok=True)
    (bundle.rootfs / "etc" / "marker").write_text("inside\n")
    with_pivot = bundle.run("/bin/sh", "-c", ROOTS)
    without = bundle.run("/bin/sh", "-c", ROOTS, options=["--no-pivot"])
    assert without.code == 0 and without.out == with_pivot.out, str(without)
    assert "inside" in without.out
    assert bundle.leftovers() == []


def test_without_pivot_root_exec_and_hooks_find_the_container(bundle):
    """And of the host's mounts none is left below for who would climb out."""
    (bundle.rootfs / "etc").mkdir(exist_ok=True)
    (bundle.rootfs / "etc" / "marker").write_text("inside\n")
    seen = bundle.folder / "seen"
    for hooks in ({}, {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"cat >/dev/null; echo ran >> {seen}"]}]}):
        bundle.config["hooks"] = hooks
        assert bundle.create("/bin/sleep", "1000", flags=["--no-pivot"]) == 0, bundle.out
        assert bundle.runtime("start", bundle.id).code == 0
        assert bundle.runtime("exec", bundle.id, "/bin/cat", "/etc/marker").out == "inside\n"
        table = pathlib.Path(f"/proc/{(bundle.folder / 'pid').read_text()}/mountinfo").read_text()
        assert sum(" - proc " in line and " / /proc " in line for line in table.splitlines()) == 1, table
        assert bundle.runtime("delete", "--force", bundle.id).code == 0
    assert seen.read_text() == "ran\n"


def damage(how):
    def change(path):
        text = path.read_text()
        path.write_text({"empty": "", "cut": text[:len(text) // 2], "other": "[]", "version": text.replace('"version":1', '"version":2'),
                         "status": text.replace('"running"', '"dancing"'), "type": text.replace('"pid":', '"pid":"x","p":')}[how])
    return change


@pytest.mark.parametrize("how", ["empty", "cut", "other", "version", "status", "type"])
def test_F07_a_damaged_state_is_named_and_can_be_deleted(running, how):
    damage(how)(running.states / running.id / "state.json")
    for verb in (["state"], ["kill"], ["exec", "true"], ["pause"], ["delete"]):
        result = running.runtime(verb[0], running.id, *verb[1:])
        assert result.code == 1 and "state.json" in result.err, str(result)
    assert "state.json" in running.runtime("list").err
    running.delete()
    wait_gone(running.pid)
    assert running.leftovers() == []


def test_two_starts_at_once_start_it_once(bundle):
    for _ in range(5):
        assert bundle.create("/bin/sh", "-c", "echo once >> /count; sleep 1000") == 0, bundle.out
        starts = [subprocess.Popen([RUNTIME, "--root", bundle.states, "start", bundle.id], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL) for _ in range(4)]
        assert sorted(s.wait(20) for s in starts) == [0, 1, 1, 1]
        bundle.delete()


def test_delete_of_a_running_container_needs_force(running):
    result = running.runtime("delete", running.id)
    assert result.code == 1 and "running" in result.err
    assert running.exec(running.id, "true").code == 0


# ---- killed on the way --------------------------------------------------------------------------

POINTS = [("exec", ["ID", "sleep", "1000"], "runtime.exec.after_spawn"), ("exec", ["ID", "sleep", "1000"], "runtime.exec.after_plan"),
          ("pause", ["ID"], "runtime.freeze.before"), ("pause", ["ID"], "runtime.freeze.after"),
          ("update", ["--memory", "48m", "ID"], "runtime.update.before"), ("update", ["--memory", "48m", "ID"], "runtime.update.after")]


@pytest.mark.parametrize("verb, args, point", POINTS)
def test_F01_a_verb_that_dies_leaves_what_delete_removes(running, verb, args, point):
    args, before = [running.id if word == "ID" else word for word in args], set(host.descendants())
    with open(running.folder / "out2", "wb") as out:
        killed = subprocess.run([RUNTIME, "--root", running.states, verb, *args], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                env=dict(os.environ, KOGGE_FAILPOINTS=f"{point}=kill"), timeout=20, check=False)
    assert killed.returncode == -signal.SIGKILL
    expected = "paused" if point == "runtime.freeze.after" else "running"
    assert running.state()["status"] == expected  # what the kernel says, whatever the verb had in mind
    host.reap(set(host.descendants()) - before - {running.pid})  # the stage ends with its socket
    running.delete()
    wait_gone(running.pid)
    assert running.leftovers() == []


@pytest.mark.parametrize("verb, args, point", POINTS)
def test_F01_a_verb_that_fails_undoes_itself(running, verb, args, point):
    args = [running.id if word == "ID" else word for word in args]
    result = running.runtime(verb, *args, env={"KOGGE_FAILPOINTS": f"{point}=error(EIO)"})
    assert result.code == 1, str(result)
    if verb == "exec":
        assert running.runtime("ps", "-f", "json", running.id).json == [running.pid]


def test_F01_exec_killed_at_random_times(running):
    before = set(host.descendants())
    for i in range(40):
        with open(running.folder / "out2", "wb") as out:
            process = subprocess.Popen([RUNTIME, "--root", running.states, "exec", "--detach", running.id, "true"],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            process.wait(i * 0.0002)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert host.reap(set(host.descendants()) - before) == set()
    assert running.runtime("ps", "-f", "json", running.id).json == [running.pid]
