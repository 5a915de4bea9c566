# SPDX-License-Identifier: Apache-2.0
"""Every part of config.json on bundles of busybox: what it does, beside crun and runc where they run the
same bundle, and what is refused, by the path of its field."""
import fcntl
import json
import os
import pathlib
import select
import shutil
import socket
import struct
import subprocess
import threading

import pytest

from harness import program
from harness.bundle import CGROUPS, Bundle, wait_gone

pytestmark = pytest.mark.needs_root

V2 = (CGROUPS / "cgroup.controllers").exists()


def resources(bundle, **parts):
    bundle.config["linux"].setdefault("resources", {}).update(parts)


def controller(name):
    """The folder of a controller, which is needed."""
    if V2:
        if name not in (CGROUPS / "cgroup.controllers").read_text().split():
            pytest.skip(f"no controller '{name}'")
        return CGROUPS
    if not (CGROUPS / name).exists():
        pytest.skip(f"no controller '{name}'")
    return CGROUPS / name


def files(bundle, folder, *names):
    """Creates the container and reads files of its cgroup."""
    bundle.config["linux"]["cgroupsPath"] = f"/kogge-e2e/{bundle.id}"
    assert bundle.create("/bin/true") == 0, bundle.out
    try:
        place = folder / "kogge-e2e" / bundle.id
        return [(place / name).read_text().strip() for name in names]
    finally:
        bundle.delete()
        for parent in [*CGROUPS.glob("*/kogge-e2e"), *CGROUPS.glob("kogge-e2e")]:
            parent.rmdir()


def refused(bundle, *words):
    """Nothing is made, and the message has all of the words."""
    result = bundle.run("/bin/true")
    assert result.code == 1, str(result)
    for word in words:
        assert word in result.err, str(result)
    assert bundle.leftovers() == []
    return result


# ---- cgroup resources --------------------------------------------------------------------------


@pytest.mark.skipif(V2, reason="cgroup version 2 is tested in the guest")
class TestVersion1:
    def test_memory(self, bundle):
        memory = controller("memory")
        resources(bundle, memory={"limit": 64 << 20, "reservation": 32 << 20, "swappiness": 7,
                                  "disableOOMKiller": True, "checkBeforeUpdate": True})
        limit, soft, swappiness, oom = files(bundle, memory, "memory.limit_in_bytes", "memory.soft_limit_in_bytes",
                                             "memory.swappiness", "memory.oom_control")
        assert (limit, soft, swappiness) == (str(64 << 20), str(32 << 20), "7")
        assert "oom_kill_disable 1" in oom

    def test_cpu(self, bundle):
        cpu = controller("cpu")
        resources(bundle, cpu={"shares": 512, "quota": 20000, "period": 40000, "burst": 10000})
        assert files(bundle, cpu, "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us") == \
            ["512", "20000", "40000", "10000"]

    def test_idle_cpu(self, bundle):
        cpu = controller("cpu")
        resources(bundle, cpu={"idle": 1})
        assert files(bundle, cpu, "cpu.idle") == ["1"]

    def test_cpuset_and_pids(self, bundle):
        controller("pids")
        resources(bundle, cpu={"cpus": "0", "mems": "0"}, pids={"limit": 33})
        assert files(bundle, controller("cpuset"), "cpuset.cpus", "cpuset.mems") == ["0", "0"]
        assert files(bundle, controller("pids"), "pids.max") == ["33"]

    def test_throttling_of_block_devices(self, bundle):
        blkio = controller("blkio")
        disk = next((p for p in pathlib.Path("/sys/block").iterdir() if (p / "dev").exists()), None)
        if not disk:
            pytest.skip("no block device")
        major, minor = map(int, (disk / "dev").read_text().split(":"))
        one = [{"major": major, "minor": minor, "rate": 1 << 20}]
        resources(bundle, blockIO={"throttleReadBpsDevice": one, "throttleWriteIOPSDevice": one})
        assert files(bundle, blkio, "blkio.throttle.read_bps_device", "blkio.throttle.write_iops_device") == \
            [f"{major}:{minor} {1 << 20}"] * 2


LACKING = [
    ("net_cls", {"network": {"classID": 1048577}}, "linux.resources.network.classID"),
    ("net_prio", {"network": {"priorities": [{"name": "lo", "priority": 1}]}}, "linux.resources.network.priorities"),
    ("rdma", {"rdma": {"mlx5_1": {"hcaHandles": 1}}}, "linux.resources.rdma"),
    ("hugetlb", {"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}, "linux.resources.hugepageLimits"),
]


@pytest.mark.parametrize("name, part, field", LACKING, ids=[name for name, _, _ in LACKING])
def test_lacking_controller_is_named_with_its_field(bundle, name, part, field):
    offered = [f.read_text().split() for f in (CGROUPS / "cgroup.controllers", CGROUPS / "unified/cgroup.controllers")
               if f.exists()]
    if (CGROUPS / name).exists() or any(name in names for names in offered):
        pytest.skip(f"the machine has '{name}'")
    resources(bundle, **part)
    refused(bundle, field, f"'{name}'", "leave the limit away")


@pytest.mark.parametrize("part, field", [
    ({"cpu": {"cpus": "60000"}}, "linux.resources.cpu.cpus"),
    ({"cpu": {"period": 1}}, "linux.resources.cpu.period"),
    ({"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}, "linux.resources.hugepageLimits"),
    ({"unified": {"memory.no-such-file": "1"}}, "linux.resources.unified.memory.no-such-file"),
])
def test_what_the_kernel_refuses_is_named_by_its_field(bundle, part, field):
    resources(bundle, **part)
    result = bundle.run("/bin/true")
    assert result.code == 1 and field in result.err, str(result)
    assert bundle.leftovers() == []


@pytest.mark.skipif(V2, reason="cgroup version 2 is tested in the guest")
def test_limit_below_what_a_start_takes_is_named(bundle):
    controller("memory")
    resources(bundle, memory={"limit": 4096})
    refused(bundle, "linux.resources.memory.limit")


# ---- what no kernel could do -------------------------------------------------------------------


@pytest.mark.parametrize("change, field", [
    (lambda c: c["linux"]["resources"].update(memory={"limit": 2000, "swap": 1000}), "linux.resources.memory.swap"),
    (lambda c: c["linux"]["resources"].update(memory={"limit": -2}), "linux.resources.memory.limit"),
    (lambda c: c["linux"]["resources"].update(memory={"limit": 1.5}), "linux.resources.memory.limit"),
    (lambda c: c["linux"]["resources"].update(cpu={"quota": 5000, "burst": 6000}), "linux.resources.cpu.burst"),
    (lambda c: c["linux"].update(intelRdt={"closID": "a/b"}), "linux.intelRdt.closID"),
    (lambda c: c["linux"].update(timeOffsets={"boottime": {"secs": 1}}), "linux.timeOffsets"),
    (lambda c: c["linux"].update(uidMappings=[{"containerID": 0, "hostID": 0, "size": 1}]), "linux.uidMappings"),
    (lambda c: c["linux"].update(rootfsPropagation="sideways"), "linux.rootfsPropagation"),
    (lambda c: c["linux"].update(devices=[{"path": "/dev/x", "type": "q"}]), "linux.devices[0].type"),
    (lambda c: c["linux"].update(personality={"domain": "VMS"}), "linux.personality.domain"),
    (lambda c: c["linux"].update(seccomp={"defaultAction": "SCMP_ACT_NOTIFY"}), "linux.seccomp.defaultAction"),
    (lambda c: c["process"].update(oomScoreAdj=1001), "process.oomScoreAdj"),
    (lambda c: c["process"].update(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]), "process.rlimits[0]"),
    (lambda c: c["process"].update(scheduler={"policy": "SCHED_FIFO"}), "process.scheduler.priority"),
    (lambda c: c["process"].update(ioPriority={"class": "IOPRIO_CLASS_X"}), "process.ioPriority.class"),
    (lambda c: c["process"].update(execCPUAffinity={"final": "x"}), "process.execCPUAffinity.final"),
    (lambda c: c.update(hooks={"poststop": [{"path": "/bin/true", "timeout": 0}]}), "hooks.poststop[0].timeout"),
    (lambda c: c.update(mounts=[{"destination": ""}]), "mounts[0].destination"),
    (lambda c: c.update(mounts="x"), "mounts"),
    (lambda c: c.pop("root"), "root"),
])
def test_contradictions_are_refused_by_the_field(bundle, change, field):
    change(bundle.config)
    refused(bundle, field)


def test_error_is_json_with_the_field(bundle):
    resources(bundle, memory={"limit": "1g"})
    bundle.write()
    result = bundle.runtime("--log-format", "json", "run", "--bundle", bundle.folder, bundle.id)
    assert result.code == 1
    assert "linux.resources.memory.limit" in json.loads(result.err)["msg"]


def test_unknown_fields_are_ignored(bundle):
    bundle.config["future"] = {"a": [1]}
    bundle.process["future"] = bundle.config["linux"]["future"] = 1
    resources(bundle, future={})
    assert bundle.ok("echo here") == "here\n"


@pytest.mark.parametrize("text, words", [
    (None, "config.json"),
    (b"", "config.json"),
    (b"[]", "config.json"),
    (b"\xff\xfe", "config.json"),
    (b'{"ociVersion": "1.2.0", "process"', "config.json"),
    (b'{"ociVersion": "1.2.0", "a": "' + b"x" * (16 << 20) + b'"}', "config.json"),
    (b'{"ociVersion": "1.2.0", "a": ' + b"[" * 100000 + b"]" * 100000 + b"}", "config.json"),
    (b'{"ociVersion": "1.2.0", "ociVersion": "1.2.0"}', "ociVersion"),
], ids=["missing", "empty", "list", "bytes", "truncated", "16MiB", "deep", "twice"])
def test_damaged_configuration_is_refused(bundle, text, words):
    bundle.write()
    path = bundle.folder / "config.json"
    path.unlink()
    if text is not None:
        path.write_bytes(text)
    result = bundle.runtime("run", "--bundle", bundle.folder, bundle.id)
    assert result.code == 1 and words in result.err, str(result)
    assert bundle.leftovers() == []


@pytest.mark.parametrize("make, words", [
    (os.mkfifo, "config.json"),
    (os.mkdir, "config.json"),
    (lambda path: path.symlink_to("/dev/zero"), "config.json"),
], ids=["fifo", "directory", "device"])
def test_configuration_that_is_no_file_is_refused(bundle, make, words):
    path = bundle.folder / "config.json"
    path.unlink()
    make(path)
    result = bundle.runtime("run", "--bundle", bundle.folder, bundle.id, timeout=20)
    assert result.code == 1 and words in result.err, str(result)
    assert bundle.leftovers() == []


@pytest.mark.parametrize("make, words", [
    (lambda root: root.write_text(""), "rootfs"),
    (lambda root: None, "rootfs"),
    (lambda root: root.mkdir(), "/bin/true"),
], ids=["file", "missing", "empty"])
def test_rootfs_that_is_none(bundle, make, words):
    shutil.rmtree(bundle.rootfs)
    make(bundle.rootfs)
    result = bundle.run("/bin/true")
    assert result.code in (1, 127) and words in result.err, str(result)
    assert bundle.leftovers() == []


def test_rootfs_may_be_a_link_in_the_bundle(bundle):
    bundle.rootfs.rename(bundle.folder / "real")
    bundle.rootfs.symlink_to("real")
    assert bundle.ok("echo here") == "here\n"


def test_bundle_that_changes_after_create_changes_nothing(bundle):
    assert bundle.create("/bin/sh", "-c", "echo first; cat /proc/self/oom_score_adj") == 0, bundle.out
    bundle.process["args"] = ["/bin/sh", "-c", "echo second"]
    bundle.config["hooks"] = {"poststart": [{"path": "/no/such"}]}
    bundle.write()
    assert bundle.runtime("start", bundle.id).code == 0
    bundle.delete()
    assert bundle.out.startswith("first\n")


# ---- seccomp -----------------------------------------------------------------------------------

NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101  # linux/seccomp.h, on x86-64 and arm64


def seccomp(bundle, *rules, **more):
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules), **more}


def rule(action, *names, **more):
    return {"names": list(names), "action": action, **more}


MKDIR = ("mkdir", "mkdirat")


@pytest.mark.parametrize("change, message", [
    ({}, "not permitted"),
    ({"errnoRet": 38}, "not implemented"),
    ({"errnoRet": 30}, "Read-only"),
])
def test_seccomp_errno(bundle, change, message):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", *MKDIR, **change))
    result = bundle.sh("mkdir /x; echo goes on")
    assert message in result.err and result.out == "goes on\n", str(result)


def test_seccomp_default_errno(bundle):
    listed = ["mkdir", "mkdirat"]
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "syscalls": [rule("SCMP_ACT_ALLOW", *sorted(all_calls() - set(listed)))]}
    result = bundle.sh("mkdir /x; echo goes on")
    assert "not implemented" in result.err and result.out == "goes on\n", str(result)


def all_calls():
    text = subprocess.run(["cpp", "-dM", "-include", "sys/syscall.h", "/dev/null"], capture_output=True, text=True,
                          check=True).stdout
    return {line.split()[1][5:] for line in text.splitlines() if line.startswith("#define __NR_")}


@pytest.mark.parametrize("action, code", [("SCMP_ACT_KILL", 159), ("SCMP_ACT_KILL_PROCESS", 159),
                                          ("SCMP_ACT_TRAP", 159)])
def test_seccomp_kills(bundle, action, code):
    seccomp(bundle, rule(action, *MKDIR))
    assert bundle.sh("(mkdir /x); exit $?").code == code


@pytest.mark.parametrize("flags", [["SECCOMP_FILTER_FLAG_LOG"], ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
                                   ["SECCOMP_FILTER_FLAG_TSYNC"], []])
def test_seccomp_flags_and_arguments(bundle, flags):
    seccomp(bundle, rule("SCMP_ACT_ERRNO", "mkdir", args=[{"index": 1, "value": 0o700, "op": "SCMP_CMP_EQ"}]),
            rule("SCMP_ACT_LOG", "chmod"), flags=flags, architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
    assert bundle.sh("umask 0; mkdir /a && mkdir -m 755 /b && chmod 755 /b && echo both").out == "both\n"


class Agent:
    """Answers the notifications of one container: every call fails with ERRNO."""

    def __init__(self, folder, errno):
        self.path = folder / "agent"
        self.errno = errno
        self.states, self.seen = [], []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.path))
        self.server.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            connection, _ = self.server.accept()
            with connection:
                text, fds, _, _ = socket.recv_fds(connection, 1 << 20, 4)
                if not text:
                    return
                self.states.append(json.loads(text))
                threading.Thread(target=self.answer, args=fds, daemon=True).start()

    def answer(self, fd):
        while True:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if any(event & select.POLLHUP for _, event in poll.poll()):
                return os.close(fd)
            request = bytearray(80)
            try:
                fcntl.ioctl(fd, NOTIF_RECV, request)
                ident, pid, _, number = struct.unpack_from("QIIi", request)
                self.seen.append((pid, number))
                fcntl.ioctl(fd, NOTIF_SEND, struct.pack("QqiI", ident, 0, -self.errno, 0))
            except OSError:
                continue

    def close(self):
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(str(self.path))
        self.thread.join(10)
        self.server.close()


@pytest.fixture
def agent(scratch):
    made = Agent(scratch, 28)
    yield made
    made.close()


@pytest.mark.parametrize("no_new_privs", [True, False])
def test_seccomp_agent_is_asked(bundle, agent, no_new_privs):
    bundle.process["noNewPrivileges"] = no_new_privs
    bundle.config["annotations"] = {"a": "b"}
    # The calls that hand the listener over are asked about too: they must not be needed.
    seccomp(bundle, rule("SCMP_ACT_NOTIFY", "mkdir", "mkdirat", "sendmsg", "sendto", "futex"),
            listenerPath=str(agent.path), listenerMetadata="for the agent")
    result = bundle.sh("mkdir /x; echo goes on")
    assert "No space left" in result.err and result.out == "goes on\n", str(result)
    state, = agent.states
    assert state["fds"] == ["seccompFd"] and state["metadata"] == "for the agent" and state["ociVersion"]
    assert state["state"]["id"] == bundle.id and state["state"]["annotations"] == {"a": "b"}
    assert state["pid"] == state["state"]["pid"] > 0 and agent.seen


def test_seccomp_agent_is_asked_for_a_process_that_joins(bundle, agent):
    seccomp(bundle, rule("SCMP_ACT_NOTIFY", *MKDIR), listenerPath=str(agent.path), listenerMetadata="m")
    assert bundle.create("/bin/sleep", "1000") == 0, bundle.out
    assert bundle.runtime("start", bundle.id).code == 0
    result = bundle.runtime("exec", bundle.id, "sh", "-c", "mkdir /x; echo goes on")
    assert "No space left" in result.err and result.out == "goes on\n", str(result)
    first, joined = agent.states
    assert joined["metadata"] == "m" and joined["state"]["id"] == bundle.id
    assert joined["pid"] != joined["state"]["pid"] == first["pid"]


def test_seccomp_agent_is_asked_after_create_and_start(bundle, agent):
    seccomp(bundle, rule("SCMP_ACT_NOTIFY", *MKDIR), listenerPath=str(agent.path))
    assert bundle.create("/bin/sh", "-c", "mkdir /x; echo goes on") == 0, bundle.out
    assert not agent.states
    pid = bundle.state()["pid"]
    assert bundle.runtime("start", bundle.id).code == 0
    wait_gone(pid)
    state, = agent.states
    assert state["pid"] == pid and "metadata" not in state and state["state"]["status"] == "created"
    assert "No space left" in bundle.out and bundle.out.endswith("goes on\n")


def test_seccomp_without_an_agent_does_not_start(bundle):
    seccomp(bundle, rule("SCMP_ACT_NOTIFY", *MKDIR), listenerPath="/no/such/agent")
    refused(bundle, "linux.seccomp.listenerPath", "/no/such/agent")


# ---- hooks -------------------------------------------------------------------------------------

POINTS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def hook(script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"], **more}


def test_hooks_run_in_order_with_their_state(bundle):
    log = bundle.folder / "log"
    log.mkdir(mode=0o777)
    bundle.config["mounts"].append({"destination": str(log), "type": "bind", "source": str(log),
                                    "options": ["rbind"]})
    bundle.config["hooks"] = {point: [hook(f"cat > {log}/{point}; echo {point} >> {log}/order")] for point in POINTS}
    assert bundle.sh(f"echo program >> {log}/order").code == 0
    order = (log / "order").read_text().split()
    assert order[:4] == list(POINTS[:4]) and order[-1] == "poststop"
    assert sorted(order[4:6]) == ["poststart", "program"]
    states = {point: json.loads((log / point).read_text()) for point in POINTS}
    assert {point: state["status"] for point, state in states.items()} == {
        "prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
        "startContainer": "created", "poststart": "running", "poststop": "stopped"}
    assert all(state["id"] == bundle.id and state["bundle"] == str(bundle.folder) for state in states.values())
    # As the host sees it, and as the container sees it.
    assert states["createRuntime"]["pid"] > 1 and states["prestart"]["pid"] == states["poststart"]["pid"]
    assert states["createContainer"]["pid"] == states["startContainer"]["pid"] == 1


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$", "exec sleep 100"])
@pytest.mark.parametrize("point", POINTS)
def test_failing_hook_has_the_effect_of_its_point(bundle, point, script):
    bundle.config["hooks"] = {point: [hook(script, timeout=1), hook(f"echo x > {bundle.folder}/next")]}
    result = bundle.sh("echo program")
    if point in ("poststart", "poststop"):
        # "the remaining hooks and lifecycle continue as if the hook had succeeded" (runtime-spec 1.2)
        assert (result.code, result.out) == (0, "program\n") and "warning" in result.err, str(result)
        assert (bundle.folder / "next").exists()
    else:
        assert result.code == 1 and result.out == "", str(result)
        assert "hook" in result.err and not (bundle.folder / "next").exists()
    assert bundle.leftovers() == []


def test_E17_hooks_get_no_environment_of_the_container(bundle):
    bundle.process["env"] = ["LD_PRELOAD=/evil.so", "PATH=/bin"]
    out = bundle.folder / "out-of-hook"
    bundle.config["hooks"] = {point: [{"path": "/bin/sh", "args": ["sh", "-c", f"env > {out}-{point}; pwd >> {out}-{point}"]}]
                              for point in ("createRuntime", "createContainer")}
    assert bundle.sh("true").code == 0
    for point in ("createRuntime", "createContainer"):
        lines = pathlib.Path(f"{out}-{point}").read_text().split("\n")
        assert not [line for line in lines if "LD_PRELOAD" in line] and "/" in lines


# ---- namespaces --------------------------------------------------------------------------------

MAP = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def namespaces(bundle, **paths):
    """NAME=PATH joins, NAME=True makes a new one, NAME=False shares the caller's."""
    kept = [n for n in bundle.config["linux"]["namespaces"] if n["type"] not in paths]
    bundle.config["linux"]["namespaces"] = kept + [
        {"type": name, **({} if path is True else {"path": str(path)})} for name, path in paths.items() if path]


def user_namespace(bundle, path=True):
    """The bundle in a user namespace, with files that belong there."""
    namespaces(bundle, user=path)
    if path is True:
        bundle.config["linux"].update(uidMappings=MAP, gidMappings=MAP)
    for folder, names, others in os.walk(bundle.folder):
        for name in [".", *names, *others]:
            os.lchown(os.path.join(folder, name), 100000, 100000)
    # Who is in it must reach the bundle.
    bundle.folder.parent.chmod(0o755)


@pytest.fixture
def other():
    """A process in namespaces of its own: other("--net", ...) gives its /proc/PID/ns."""
    started = []

    def start(*flags):
        process = subprocess.Popen(["unshare", *flags, "sh", "-c", "echo ready; read x"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return pathlib.Path(f"/proc/{process.pid}/ns")

    yield start
    for process in started:
        process.communicate(b"\n")


def all_caps(bundle, *caps):
    for name in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][name] = list(caps)


def test_user_namespace_has_its_maps(bundle):
    user_namespace(bundle)
    all_caps(bundle, "CAP_SYS_ADMIN")
    out = bundle.ok("id -u; cat /proc/self/uid_map /proc/self/gid_map; touch /made; stat -c %u /made; "
                    "hostname inside && hostname; cat /dev/null; ls /proc/1/fd >/dev/null && echo own")
    assert out.split() == ["0", *["0", "100000", "65536"] * 2, "0", "inside", "own"]
    assert (bundle.rootfs / "made").stat().st_uid == 100000


def test_user_namespace_with_many_ranges(bundle):
    ranges = [{"containerID": i, "hostID": 100000 + 3 * i, "size": 1} for i in range(300)]
    user_namespace(bundle)
    bundle.config["linux"].update(uidMappings=ranges, gidMappings=ranges)
    assert bundle.ok("wc -l < /proc/self/uid_map").strip() == "300"


@pytest.mark.parametrize("names", [["net"], ["ipc", "uts"], ["pid"], ["net", "ipc", "uts", "pid"], ["cgroup"], ["time"]])
def test_new_user_namespace_with_joined_ones(bundle, other, names):
    flags = {"net": "--net", "ipc": "--ipc", "uts": "--uts", "pid": "--pid", "mnt": "--mount", "cgroup": "--cgroup",
             "time": "--time"}
    types = {"net": "network", "mnt": "mount"}
    ns = other(*(flags[name] for name in names), "--fork")
    child = int(pathlib.Path(f"/proc/{ns.parent.name}/task/{ns.parent.name}/children").read_text().split()[0])
    ns = pathlib.Path(f"/proc/{child}/ns")
    user_namespace(bundle)
    namespaces(bundle, **{types.get(name, name): ns / name for name in names})
    # Who does not own an IPC namespace cannot mount its message queues, nor set another's host name.
    bundle.config.pop("hostname")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "mqueue" or "ipc" not in names]
    if "pid" in names:
        # Who does not own a PID namespace cannot mount its procfs.
        bundle.config["mounts"][0] = {"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]}
    out = bundle.ok("".join(f"readlink /proc/self/ns/{name}; " for name in names) + "cat /proc/self/uid_map; id -u").split()
    assert out[:len(names)] == [os.readlink(ns / name) for name in names]
    assert out[len(names):] == ["0", "100000", "65536", "0"]


def without_gid_5(bundle):
    """A namespace that maps root alone has no group 5 for terminals."""
    for mount in bundle.config["mounts"]:
        mount["options"] = [option for option in mount.get("options", []) if option != "gid=5"]


def test_joined_user_namespace_owns_what_is_new(bundle, other):
    ns = other("--user", "--map-root-user")
    user_namespace(bundle, ns / "user")
    all_caps(bundle, "CAP_SYS_ADMIN", "CAP_NET_ADMIN")
    without_gid_5(bundle)
    pathlib.Path(bundle.folder).chmod(0o755)
    for folder, names, others in os.walk(bundle.folder):
        for name in [".", *names, *others]:
            os.lchown(os.path.join(folder, name), 0, 0)
    out = bundle.ok("readlink /proc/self/ns/user; hostname inside && hostname; ip link set lo down && ip link set lo up && "
                    "echo owned; echo $$").split()
    assert out == [os.readlink(ns / "user"), "inside", "owned", "1"]


def test_user_and_network_namespace_of_the_same_pod(bundle, other):
    ns = other("--user", "--map-root-user", "--net", "--ipc")
    namespaces(bundle, user=ns / "user", network=ns / "net", ipc=ns / "ipc")
    without_gid_5(bundle)
    assert bundle.ok("for n in user net ipc; do readlink /proc/self/ns/$n; done").split() == \
        [os.readlink(ns / name) for name in ("user", "net", "ipc")]


def test_namespace_of_another_type_is_refused(bundle, other):
    namespaces(bundle, network=other("--ipc") / "ipc")
    refused(bundle, "linux.namespaces", "network")


def test_namespace_path_that_is_none_is_refused(bundle):
    namespaces(bundle, network="/etc/passwd")
    refused(bundle, "linux.namespaces", "/etc/passwd")


def test_time_namespace_has_its_offsets(bundle):
    namespaces(bundle, time=True)
    bundle.config["linux"]["timeOffsets"] = {"boottime": {"secs": 864000}, "monotonic": {"secs": 5, "nanosecs": 7}}
    before = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    out = bundle.ok("cat /proc/uptime; cat /proc/self/timens_offsets").split()
    assert 864000 <= float(out[0]) - before < 864100
    assert out[2:] == ["monotonic", "5", "7", "boottime", "864000", "0"]


def test_cgroup_namespace_shows_the_own_cgroup_as_root(bundle):
    namespaces(bundle, cgroup=True)
    assert {line.split(":")[2] for line in bundle.ok("cat /proc/self/cgroup").split() if kept_line(line)} == {"/"}


def kept_line(line):
    """Hierarchies in which the container has a folder of its own."""
    return V2 or line.startswith("0::") or ":devices:" in line


@pytest.mark.parametrize("kind, key, value", [("network", "net.ipv4.ip_forward", "1"), ("ipc", "kernel.msgmax", "8000")])
def test_E26_sysctl_of_the_hosts_namespace_by_its_path_is_refused(bundle, kind, key, value):
    file = {"network": "net"}.get(kind, kind)
    bundle.config["linux"]["sysctl"] = {key: value}
    namespaces(bundle, **{kind: f"/proc/self/ns/{file}"})
    before = pathlib.Path("/proc/sys", *key.split(".")).read_text()
    refused(bundle, f"linux.sysctl.{key}", "host")
    assert pathlib.Path("/proc/sys", *key.split(".")).read_text() == before


def test_E26_sysctl_of_another_namespace_by_its_path_is_set(bundle, other):
    namespaces(bundle, network=other("--net") / "net")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    assert bundle.ok("cat /proc/sys/net/ipv4/ip_forward") == "1\n"


@pytest.mark.parametrize("key", ["kernel.shm_rmid_forced+kernel.core_pattern", "net.ipv4.../core_pattern",
                                 "net/ipv4/../../kernel/core_pattern", "net.ipv4.conf\nkernel.core_pattern"])
def test_E26_names_of_sysctls_do_not_lead_elsewhere(bundle, key):
    bundle.config["linux"]["sysctl"] = {key: "|x"}
    refused(bundle, "sysctl")


# ---- mounts ------------------------------------------------------------------------------------


@pytest.fixture
def tree(scratch):
    """A folder with a file system below it, outside of the bundle."""
    top = scratch / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "file").write_text("file\n")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", top / "sub"], check=True)
    (top / "sub/inner").write_text("inner\n")
    yield top
    subprocess.run(["umount", "-R", top / "sub"], check=True)


def bind(bundle, source, *options, to="/data", **more):
    bundle.config["mounts"].append({"destination": to, "type": "bind", "source": str(source),
                                    "options": list(options), **more})


def options_of(text, place):
    """The options of the mount at PLACE in /proc/self/mountinfo, and what stands before the dash."""
    line, = [words for words in map(str.split, text.splitlines()) if words[4] == place]
    return set(line[5].split(",")), line[6:line.index("-")]


@pytest.mark.parametrize("option, flag", [
    ("ro", "ro"), ("nosuid", "nosuid"), ("nodev", "nodev"), ("noexec", "noexec"), ("noatime", "noatime"),
    ("nodiratime", "nodiratime"), ("nosymfollow", "nosymfollow"), ("relatime", "relatime")])
@pytest.mark.parametrize("recursive", [False, True])
def test_attributes_of_a_bind_and_what_lies_below(bundle, tree, option, flag, recursive):
    bind(bundle, tree, "rbind", ("r" if recursive else "") + option)
    out = bundle.ok("cat /proc/self/mountinfo")
    assert flag in options_of(out, "/data")[0]
    if flag != "relatime":
        assert (flag in options_of(out, "/data/sub")[0]) == recursive


def test_later_options_win(bundle, tree):
    bind(bundle, tree, "rbind", "ro", "nosuid", "rw", "rro", "rrw", "suid")
    found = options_of(bundle.ok("cat /proc/self/mountinfo"), "/data")[0]
    assert "rw" in found and "nosuid" not in found


def test_bind_without_r_has_nothing_below(bundle, tree):
    bind(bundle, tree, "bind")
    assert bundle.ok("cat /data/file; ls /data/sub | wc -l") == "file\n0\n"


def test_E35_recursively_read_only_holds_below(bundle, tree):
    bind(bundle, tree, "rbind", "rro")
    assert bundle.ok("touch /data/x || echo top; touch /data/sub/x || echo below; cat /data/sub/inner") == \
        "top\nbelow\ninner\n"


@pytest.mark.parametrize("option, tags", [
    ("rprivate", []), ("private", []), ("rslave", ["master"]), ("rshared", ["shared"]), ("slave", ["master"]),
    ("shared", ["shared"]), ("runbindable", ["unbindable"]), (None, [])])
def test_propagation_of_a_bind(bundle, tree, option, tags):
    subprocess.run(["mount", "--make-rshared", tree / "sub"], check=True)
    bind(bundle, tree / "sub", *["rbind", option][:2 if option else 1])
    found = options_of(bundle.ok("cat /proc/self/mountinfo"), "/data")[1]
    assert [tag.split(":")[0] for tag in found] == tags


def test_shared_bind_hands_mounts_out_and_a_private_one_does_not(bundle, tree):
    subprocess.run(["mount", "--make-rshared", tree / "sub"], check=True)
    (tree / "sub/place").mkdir()
    all_caps(bundle, "CAP_SYS_ADMIN")
    bind(bundle, tree / "sub", "rbind", "rshared")
    bind(bundle, tree / "sub", "rbind", "rprivate", to="/own")
    bundle.ok("mount -t tmpfs t /own/place")
    assert str(tree / "sub/place") not in pathlib.Path("/proc/self/mounts").read_text()
    bundle.ok("mount -t tmpfs t /data/place")
    assert str(tree / "sub/place") in pathlib.Path("/proc/self/mounts").read_text()


@pytest.mark.parametrize("value, tags", [("shared", ["shared"]), ("private", []), ("unbindable", ["unbindable"])])
def test_propagation_of_the_root(bundle, value, tags):
    bundle.config["linux"]["rootfsPropagation"] = value
    found = options_of(bundle.ok("cat /proc/self/mountinfo"), "/")[1]
    # What is shared is also the slave of the host's, where that is shared.
    assert [tag.split(":")[0] for tag in found] in (tags, [*tags, "master"] if value == "shared" else tags)


@pytest.mark.parametrize("option", ["idmap", "ridmap", "own"])
def test_identity_mapped_mounts(bundle, tree, option):
    if option != "own":
        user_namespace(bundle)
    os.chown(tree / "file", 1000, 1000)
    os.chown(tree / "sub/inner", 1000, 1000)
    if option == "own":
        maps = [{"containerID": 1000, "hostID": 77, "size": 1}]
        bind(bundle, tree, "rbind", uidMappings=maps, gidMappings=maps)
        assert bundle.ok("stat -c %u:%g /data/file") == "77:77\n"
        return
    bind(bundle, tree, "rbind", option)
    below = "1000:1000" if option == "ridmap" else "65534:65534"
    assert bundle.ok("stat -c %u:%g /data/file /data/sub/inner").split() == ["1000:1000", below]


def test_identity_maps_are_for_binds(bundle):
    maps = [{"containerID": 0, "hostID": 7, "size": 1}]
    bundle.config["mounts"].append({"destination": "/t", "type": "tmpfs", "source": "tmpfs", "uidMappings": maps,
                                    "gidMappings": maps})
    refused(bundle, "/t", "identity maps")


def test_remount_changes_what_is_there(bundle, tree):
    bind(bundle, tree, "rbind", "nosuid")
    bind(bundle, "none", "bind", "remount", "ro", "noexec")
    found = options_of(bundle.ok("cat /proc/self/mountinfo"), "/data")[0]
    assert {"ro", "noexec", "nosuid"} <= found


@pytest.mark.parametrize("change, words", [({"destination": "/etc"}, "nothing is mounted"),
                                           ({"destination": "/dev", "options": ["remount", "size=1m"]}, "size=1m")])
def test_remount_that_cannot_be_is_refused(bundle, change, words):
    bundle.config["mounts"].append({"type": "tmpfs", "source": "tmpfs", "options": ["remount", "ro"], **change})
    refused(bundle, words)


def test_relative_destination_starts_at_the_root(bundle, tree):
    bind(bundle, tree, "rbind", to="srv/../new/place")
    assert bundle.ok("cat /new/place/file") == "file\n"


def test_options_in_one_string_and_of_the_file_system(bundle):
    bundle.config["mounts"].append({"destination": "/t", "type": "tmpfs", "source": "tmpfs",
                                    "options": ["nosuid,nodev", "size=4096,nr_inodes=5", "uid=3", "sync"]})
    out = bundle.ok("cat /proc/self/mounts; stat -c %u /t; for i in 1 2 3 4 5 6; do touch /t/$i; done 2>&1 | tail -1")
    line, = [line for line in out.splitlines() if " /t " in line]
    assert {"nosuid", "nodev", "size=4k", "nr_inodes=5"} <= set(line.split()[3].split(","))
    assert out.splitlines()[-2] == "3" and "No space" in out.splitlines()[-1]


def test_unknown_option_of_a_file_system_is_refused(bundle):
    bundle.config["mounts"].append({"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["no-such=1"]})
    refused(bundle, "/t", "tmpfs")


def test_copied_up_tmpfs_is_as_what_it_covers(bundle):
    home = bundle.rootfs / "srv"
    home.mkdir(exist_ok=True)
    (home / "a").write_text("a")
    os.chown(home, 12, 13)
    home.chmod(0o1751)
    os.chown(home / "a", 14, 15)
    bundle.config["mounts"].append({"destination": "/srv", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]})
    all_caps(bundle, "CAP_DAC_OVERRIDE", "CAP_FOWNER")
    assert bundle.ok("stat -c '%a %u %g' /srv /srv/a; rm /srv/a").splitlines() == ["1751 12 13", "644 14 15"]
    assert (home / "a").exists()


# ---- the process -------------------------------------------------------------------------------


def test_scheduler(bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    all_caps(bundle, "CAP_SYS_NICE")
    out = bundle.ok("cut -d' ' -f19,41 /proc/self/stat").split()
    assert out == ["5", "3"]


def test_real_time_scheduler(bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_RR", "priority": 7, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    all_caps(bundle, "CAP_SYS_NICE")
    result = bundle.run("/bin/busybox", "awk", "{print $40, $41}", "/proc/self/stat")
    if "not permitted" in result.err:
        pytest.skip("no real-time scheduling in this cgroup")
    assert result.out.split()[0] == "7" and int(result.out.split()[1]) & 0xff == 2, str(result)


@pytest.mark.parametrize("name, number, priority", [("IOPRIO_CLASS_BE", 2, 6), ("IOPRIO_CLASS_IDLE", 3, 0)])
def test_io_priority(bundle, name, number, priority):
    bundle.process["ioPriority"] = {"class": name, "priority": priority}
    assert bundle.create("/bin/true") == 0, bundle.out
    found = subprocess.run(["ionice", "-p", str(bundle.state()["pid"])], capture_output=True, text=True, check=True).stdout
    assert ("best-effort: prio 6" if number == 2 else "idle") in found


def test_personality(bundle):
    bundle.config["linux"]["personality"] = {"domain": "LINUX32"}
    assert bundle.ok("uname -m") == "i686\n"


def test_oom_score(bundle):
    # To go below the own one takes a right that test machines may lack.
    for value in (int(pathlib.Path("/proc/self/oom_score_adj").read_text()), 999, 1000):
        bundle.process["oomScoreAdj"] = value
        assert bundle.ok("cat /proc/self/oom_score_adj") == f"{value}\n"


def test_E21_all_five_sets_of_capabilities(bundle):
    two = ["CAP_CHOWN", "CAP_KILL"]
    bundle.process["capabilities"] = {"bounding": [*two, "CAP_NET_RAW"], "permitted": two, "effective": two,
                                      "inheritable": two, "ambient": ["CAP_KILL"]}
    bundle.process["user"] = {"uid": 1, "gid": 1}
    out = bundle.ok("grep ^Cap /proc/self/status").split()
    assert dict(zip(out[::2], out[1::2])) == {
        "CapInh:": f"{0x21:016x}", "CapPrm:": f"{0x20:016x}", "CapEff:": f"{0x20:016x}", "CapBnd:": f"{0x2021:016x}",
        "CapAmb:": f"{0x20:016x}"}


def test_console_size(bundle):
    bundle.process.update(terminal=True, consoleSize={"height": 31, "width": 77}, args=["/bin/stty", "size"])
    bundle.write()
    result = bundle.runtime("run", "--bundle", bundle.folder, bundle.id)
    assert result.out.strip() == "31 77", str(result)


@pytest.mark.parametrize("field, value, change", [
    ("process.apparmorProfile", "docker-default", lambda c, v: c["process"].update(apparmorProfile=v)),
    ("process.selinuxLabel", "system_u:system_r:x:s0", lambda c, v: c["process"].update(selinuxLabel=v)),
    ("linux.mountLabel", "system_u:object_r:x:s0", lambda c, v: c["linux"].update(mountLabel=v)),
])
def test_labels_that_the_kernel_lacks_are_refused(bundle, field, value, change):
    if "apparmor" in field and os.path.exists("/sys/module/apparmor") or "selinuxfs" in \
            pathlib.Path("/proc/filesystems").read_text():
        pytest.skip("the kernel has it")
    change(bundle.config, value)
    refused(bundle, field, value)


def test_affinity_of_exec(bundle):
    if os.cpu_count() < 2:
        pytest.skip("one CPU")
    assert bundle.create("/bin/sleep", "100") == 0, bundle.out
    assert bundle.runtime("start", bundle.id).code == 0
    for affinity, cpus in (({"initial": "0", "final": "1"}, "1"), ({"final": "0-1"}, "0-1"), ({}, None)):
        process = {**bundle.process, "args": ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"],
                   "execCPUAffinity": affinity}
        (bundle.folder / "process.json").write_text(json.dumps(process))
        result = bundle.runtime("exec", "--process", bundle.folder / "process.json", bundle.id)
        assert result.code == 0 and (cpus is None or result.out.split()[1] == cpus), str(result)
    # It says nothing about the first process.
    assert bundle.runtime("kill", bundle.id, "KILL").code == 0


# ---- ordinary users ----------------------------------------------------------------------------

USER = 54321  # nobody's


@pytest.fixture(params=["plain", "subordinate"])
def ordinary(request, scratch, busybox_tar, host_unchanged):
    """A bundle of an ordinary user with and without subordinate IDs: /etc/passwd, /etc/subuid and /etc/subgid are
    other files in a mount namespace of the test's own."""
    prefix = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "--inh-caps=-all"]
    if request.param == "subordinate":
        if not shutil.which("newuidmap"):
            pytest.skip("no newuidmap")
        for name, line in (("subuid", "ordinary:200000:65536"), ("subgid", "ordinary:200000:65536"),
                           ("passwd", f"ordinary:x:{USER}:{USER}::/:/bin/sh"), ("group", f"ordinary:x:{USER}:")):
            (scratch / name).write_text(line + "\n")
        # The files must be there to be covered.
        if not os.path.exists("/etc/subuid") or not os.path.exists("/etc/subgid"):
            etc = scratch / "etc"
            subprocess.run(["cp", "-a", "/etc", etc], check=True)
            cover = f"mount --bind {etc} /etc && touch /etc/subuid /etc/subgid && "
        else:
            cover = ""
        cover += " && ".join(f"mount --bind {scratch}/{name} /etc/{name}" for name in
                             ("subuid", "subgid", "passwd", "group"))
        prefix = ["unshare", "--mount", "sh", "-ec", cover + '; exec "$@"', "sh", *prefix]
    scratch.chmod(0o777)
    (scratch / "run").mkdir(mode=0o700)
    os.chown(scratch / "run", USER, USER)
    prefix += ["env", f"XDG_RUNTIME_DIR={scratch}/run"]
    made = Bundle(scratch, busybox_tar, prefix=prefix, spec=["--rootless"])
    made.process["rlimits"] = []
    made.states = scratch / "run/kogge-runtime"
    made.runtime = lambda *args, **options: program.run(
        [*made.prefix, program.PROGRAMS / "kogge-runtime", *args], **options)
    made.subordinate = request.param == "subordinate"
    if made.subordinate:
        maps = [{"containerID": 0, "hostID": USER, "size": 1}, {"containerID": 1, "hostID": 200000, "size": 65535}]
        made.config["linux"].update(uidMappings=maps, gidMappings=maps)
    probe = program.run([*map(str, prefix), "unshare", "--user", "true"])
    if probe.code != 0:
        pytest.skip("no user namespaces for ordinary users here")
    yield made
    made.delete()
    assert made.leftovers() == []


def test_ordinary_user_runs_a_container(ordinary):
    out = ordinary.ok("id -u; cat /proc/self/uid_map; echo $$; echo x > /dev/null; cat /proc/keys; ls /sys/fs/cgroup | wc -l; "
                      "hostname").split()
    ids = ["0", str(USER), "1"] + (["1", "200000", "65535"] if ordinary.subordinate else [])
    assert out == ["0", *ids, "1", "0", ordinary.config["hostname"]]


def test_ordinary_user_has_its_states_in_its_own_folder(ordinary):
    ordinary.process["args"] = ["/bin/sh", "-c", "echo waited"]
    ordinary.write()
    with open(ordinary.folder / "out", "wb") as out:
        assert subprocess.run([*ordinary.prefix, program.PROGRAMS / "kogge-runtime", "create", "--bundle",
                               ordinary.folder, ordinary.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                              timeout=60).returncode == 0, ordinary.out
    assert (ordinary.folder / "run/kogge-runtime" / ordinary.id / "state.json").stat().st_uid == USER
    pid = ordinary.state()["pid"]
    assert ordinary.runtime("start", ordinary.id).code == 0
    wait_gone(pid)
    assert ordinary.out == "waited\n" and ordinary.state()["status"] == "stopped"


def test_ordinary_user_with_subordinate_ids_has_other_users(ordinary):
    ordinary.process["user"] = {"uid": 1000, "gid": 1000}
    if ordinary.subordinate:
        assert ordinary.ok("id -u; id -g").split() == ["1000", "1000"]
    else:
        refused(ordinary, "1000")


def test_ordinary_user_gets_no_ids_of_others(ordinary):
    ordinary.config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": USER, "size": 1},
                                               {"containerID": 1, "hostID": 0, "size": 1}]
    refused(ordinary, "linux.uidMappings")


def test_ordinary_user_is_told_that_limits_need_a_delegated_cgroup(ordinary):
    if V2:
        pytest.skip("what is delegated decides")
    resources(ordinary, pids={"limit": 10})
    refused(ordinary, "linux.resources.pids.limit", "denied")


def test_ordinary_user_mounts_and_masks(ordinary, tree):
    (ordinary.rootfs / "data").mkdir()
    bind(ordinary, tree, "rbind", "rro")
    ordinary.config["root"]["readonly"] = True
    out = ordinary.ok("cat /data/file /data/sub/inner; touch /data/sub/x || echo below; touch /x || echo root; "
                      "head -c 1 /proc/kcore 2>/dev/null | wc -c")
    assert out == "file\ninner\nbelow\nroot\n0\n"


def test_root_of_a_user_namespace_runs_a_container(bundle):
    """As Podman and builders nest: no rights over the host, and no user namespace in the configuration."""
    bundle.prefix = ["unshare", "--user", "--map-users=0,100000,65536", "--map-groups=0,100000,65536", "--mount",
                     "--setuid", "0", "--setgid", "0"]
    if program.run([*bundle.prefix, "true"]).code != 0:
        bundle.prefix = ["unshare", "--user", "--map-root-user", "--mount"]
    for folder, names, others in os.walk(bundle.folder):
        for name in [".", *names, *others]:
            os.lchown(os.path.join(folder, name), 100000, 100000) if "--setuid" in bundle.prefix else None
    bundle.folder.parent.chmod(0o755)
    without_gid_5(bundle)
    bundle.runtime = lambda *args, **options: program.run(
        [*bundle.prefix, program.PROGRAMS / "kogge-runtime", "--root", bundle.states, *args], **options)
    assert bundle.ok("echo x > /dev/null; cat /proc/keys; touch /made; id -u") == "0\n"


# ---- beside crun and runc ----------------------------------------------------------------------

LOOK = """grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups|Uid|Umask)' /proc/self/status; cat /proc/self/oom_score_adj /proc/self/uid_map;
umask; pwd; ulimit -n; ulimit -c; hostname; uname -m; for n in a b c; do stat -c '%n %a %u %g %t %T' /dev/$n 2>/dev/null; done;
cut -d' ' -f 5,6 /proc/self/mountinfo | grep -E '^/(data|t)' | sort; cut -d' ' -f19,40,41 /proc/self/stat;
cat /proc/sys/net/ipv4/ip_unprivileged_port_start; head -c 4 /proc/keys | wc -c; echo x 2>/dev/null >/proc/sys/kernel/panic || echo read-only;
stat -f -c %T /t 2>/dev/null; mkdir /forbidden 2>&1"""


def both_binds(c, folder):
    c["mounts"] += [
        {"destination": "/data", "type": "bind", "source": str(folder), "options": ["rbind", "ro", "nosuid", "noexec"]},
        {"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=711", "size=1m"]}]


SAME = {
    "plain": lambda c, folder: None,
    "user": lambda c, folder: c["process"].update(user={"uid": 5, "gid": 6, "additionalGids": [7, 8], "umask": 0o77}),
    "limits": lambda c, folder: c["process"].update(
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
        oomScoreAdj=500),
    "privileges": lambda c, folder: c["process"].update(noNewPrivileges=False),
    "mounts": both_binds,
    "root": lambda c, folder: c["root"].update(readonly=True),
    "devices": lambda c, folder: c["linux"].update(devices=[
        {"path": "/dev/a", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 3, "gid": 4},
        {"path": "/dev/b", "type": "p", "fileMode": 0o600}]),
    "sysctl": lambda c, folder: c["linux"].update(sysctl={"net.ipv4.ip_unprivileged_port_start": "77"}),
    "names": lambda c, folder: c.update(hostname="other.example"),
    "masks": lambda c, folder: c["linux"].update(maskedPaths=["/proc/keys", "/no/such"], readonlyPaths=["/proc/sys"]),
    "no masks": lambda c, folder: c["linux"].update(maskedPaths=[], readonlyPaths=[]),
    "seccomp": lambda c, folder: c["linux"].update(seccomp={
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [{"names": list(MKDIR), "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}),
    "directory": lambda c, folder: c["process"].update(cwd="/made/for/it"),
}


@pytest.mark.parametrize("name", SAME)
def test_container_is_as_with_crun_and_runc(bundle, name):
    bundle.config["ociVersion"] = "1.0.2"  # what Debian's crun knows
    bundle.process["rlimits"] = []
    shared = bundle.folder / "shared"
    shared.mkdir()
    SAME[name](bundle.config, shared)
    own = bundle.sh(LOOK)
    assert own.code in (0, 1), str(own)
    peers = {}
    for peer in ("crun", "runc"):
        if shutil.which(peer):
            states = bundle.folder / f"states-{peer}"
            subprocess.run(["rm", "-rf", bundle.rootfs / "forbidden", bundle.rootfs / "made"], check=True)
            result = program.run([peer, "--root", states, "run", "--bundle", bundle.folder, bundle.id + peer])
            # A peer that a test machine does not let start says nothing.
            if result.code in (0, 1) and "NoNewPrivs" in result.out:
                peers[peer] = result.out
    if not peers:
        pytest.skip("neither crun nor runc runs here")
    assert own.out in peers.values(), {"own": own.out, **peers}


def test_configuration_that_changes_while_it_is_read(bundle):
    """Each start takes one whole configuration, or refuses."""
    stop = threading.Event()
    texts = []
    for word in ("first", "second"):
        bundle.process["args"] = ["/bin/echo", word]
        bundle.write()
        texts.append((bundle.folder / "config.json").read_bytes())

    def change():
        while not stop.is_set():
            for text in texts:
                (bundle.folder / "config.json").write_bytes(text)  # not atomic: it is short for a moment

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(30):
            result = bundle.runtime("run", "--bundle", bundle.folder, bundle.id)
            assert (result.code, result.out) in ((0, "first\n"), (0, "second\n"), (1, "")), str(result)
            assert result.code == 0 or "config.json" in result.err, str(result)
    finally:
        stop.set()
        changer.join()


# ---- late user namespaces through the verbs ----------------------------------------------------


def test_late_user_namespace_through_the_verbs(bundle, other):
    ns = other("--net")
    user_namespace(bundle)
    namespaces(bundle, network=ns / "net")
    log = bundle.folder / "hook"
    bundle.config["hooks"] = {"createRuntime": [hook(f"cat > {log}")]}
    assert bundle.create("/bin/sleep", "100") == 0, bundle.out
    state = bundle.state()
    pid = state["pid"]
    assert state["status"] == "created" and json.loads(log.read_text())["pid"] == pid
    assert os.readlink(f"/proc/{pid}/ns/net") == os.readlink(ns / "net")
    assert bundle.runtime("start", bundle.id).code == 0
    assert bundle.runtime("exec", bundle.id, "/bin/cat", "/proc/self/uid_map").out.split() == ["0", "100000", "65536"]
    assert bundle.runtime("kill", bundle.id, "KILL").code == 0
    wait_gone(pid)
    bundle.delete()
    assert bundle.leftovers() == []


@pytest.mark.parametrize("point", ["after_spawn", "after_plan", "after_record"])
@pytest.mark.parametrize("action", ["kill", "error(EIO)"])
def test_F01_killed_create_of_a_late_user_namespace_leaves_nothing(bundle, other, point, action):
    user_namespace(bundle)
    namespaces(bundle, network=other("--net") / "net")
    before = set(stages())
    code = bundle.create("/bin/true", env={**os.environ, "KOGGE_FAILPOINTS": f"runtime.create.{point}={action}"})
    assert code == (-9 if action == "kill" else 1), bundle.out
    bundle.delete()
    for pid in set(stages()) - before:
        wait_gone(pid)
    assert bundle.leftovers() == []


def stages():
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == "kogge-stage":
                yield int(path.parent.name)
        except OSError:
            continue


@pytest.mark.skipif(" - resctrl " in pathlib.Path("/proc/self/mountinfo").read_text(), reason="the machine has resctrl")
def test_intel_rdt_without_the_kernels_part_is_named(bundle):
    bundle.config["linux"]["intelRdt"] = {"l3CacheSchema": "L3:0=f"}
    result = bundle.run("/bin/true")
    assert result.code == 1 and "linux.intelRdt" in result.err and "resctrl" in result.err, str(result)
    assert bundle.leftovers() == []
