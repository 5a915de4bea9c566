# SPDX-License-Identifier: Apache-2.0
"""kogge-runtime on bundles of busybox: what a container sees, what it must not, exit codes, and
that nothing is left however a command ends."""
import array
import json
import os
import signal
import socket
import subprocess

import pytest

from harness import program
from harness.bundle import CGROUPS, wait_gone

pytestmark = pytest.mark.needs_root

DOCKER_CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
               "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
               "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]


# ---- exit codes and messages ------------------------------------------------------------------


@pytest.mark.parametrize("script, code", [("exit 0", 0), ("exit 1", 1), ("exit 255", 255), ("kill -9 $$", 137)])
def test_exit_code_is_the_programs(bundle, script, code):
    # PID 1 ignores signals that it has no handler for, so that a child is asked to die
    result = bundle.sh(f"sh -c '{script}'; exit $?")
    assert result.code == code, str(result)


@pytest.mark.parametrize("args, code", [(["no-such-program"], 127), (["/no/such"], 127), (["/etc/passwd"], 126),
                                        (["/etc"], 126), (["/bin/missing-interpreter"], 127)])
def test_exit_code_tells_why_exec_failed(bundle, args, code):
    script = bundle.rootfs / "bin/missing-interpreter"
    script.write_text("#!/nowhere\n")
    script.chmod(0o755)
    result = bundle.run(*args)
    assert result.code == code, str(result)
    assert args[0] in result.err
    assert bundle.leftovers() == []


@pytest.mark.parametrize("change, words", [
    (lambda c: c["process"].update(cwd="tmp"), "process.cwd"),
    (lambda c: c["process"].update(args=[]), "process.args"),
    (lambda c: c["root"].update(path="nowhere"), "nowhere"),
    (lambda c: c["linux"].update(sysctl={"kernel.core_pattern": "|x"}), "kernel.core_pattern"),
    (lambda c: c["linux"]["resources"].update(memory={"limit": "1"}), "linux.resources.memory.limit"),
    (lambda c: c["mounts"].append({"destination": "/x", "type": "none", "source": "/no/such", "options": ["bind"]}),
     "/no/such"),
    (lambda c: c["mounts"].append({"destination": "/x", "type": "no-such-fs", "source": "x"}), "no-such-fs"),
    (lambda c: c.update(ociVersion="2.0"), "ociVersion"),
    (lambda c: c["linux"]["namespaces"].append({"type": "pid"}), "namespaces"),
])
def test_bad_configuration_is_named_and_leaves_nothing(bundle, change, words):
    change(bundle.config)
    result = bundle.run("/bin/true") if bundle.process["args"] else bundle.run()
    assert result.code == 1, str(result)
    assert words in result.err
    assert bundle.leftovers() == []


def test_log_gets_the_error_as_json(bundle):
    bundle.config["root"]["path"] = "nowhere"
    bundle.write()
    log = bundle.folder / "log.json"
    assert bundle.runtime("--log", log, "--log-format", "json", "run", "--bundle", bundle.folder, bundle.id).code == 1
    assert json.loads(log.read_text())["level"] == "error"


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 1025, "-x\n"])
def test_bad_names_are_refused(bundle, name):
    bundle.write()
    result = bundle.runtime("create", "--bundle", bundle.folder, "--", name)
    assert result.code == 1, str(result)


# ---- what the container is --------------------------------------------------------------------


def test_stdin_and_stdout_pass_through(bundle):
    data = os.urandom(1 << 20)
    result = bundle.run("cat", input=data)
    assert (result.code, result.raw_out) == (0, data)


def test_user_groups_umask_and_directory(bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "umask": 0o27, "additionalGids": [7, 1001]}
    bundle.process["cwd"] = "/made/by/runtime"
    out = bundle.ok("id -u; id -g; id -G; umask; pwd; cd /; grep -E '^(Uid|Groups):' /proc/self/status")
    lines = out.split("\n")
    assert lines[:2] == ["1000", "1001"]
    assert set(lines[2].split()) == {"1001", "7"}
    assert lines[3:5] == ["0027", "/made/by/runtime"]
    assert lines[5].split()[1:] == ["1000"] * 4


def test_E21_capabilities_are_the_given_ones(bundle):
    for name in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][name] = DOCKER_CAPS
    bundle.process["capabilities"]["ambient"] = []
    out = bundle.ok("grep Cap /proc/self/status")
    caps = dict(line.split(":\t") for line in out.strip().split("\n"))
    golden = "00000000a80425fb"
    assert caps == {"CapInh": "0" * 16, "CapPrm": golden, "CapEff": golden, "CapBnd": golden, "CapAmb": "0" * 16}
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    out = bundle.ok("grep Cap /proc/self/status")
    caps = dict(line.split(":\t") for line in out.strip().split("\n"))
    zero = "0" * 16
    assert caps == {"CapInh": zero, "CapPrm": zero, "CapEff": zero, "CapBnd": golden, "CapAmb": zero}


def test_no_capabilities_without_the_field(bundle):
    del bundle.process["capabilities"]
    out = bundle.ok("grep Cap /proc/self/status")
    assert {line.split("\t")[1] for line in out.strip().split("\n")} == {"0" * 16}


def test_names_limits_and_sysctl(bundle):
    bundle.config["hostname"] = "box"
    bundle.config["domainname"] = "example"
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0", "kernel.msgmax": "9999"}
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88},
                                 {"type": "RLIMIT_CORE", "soft": 0, "hard": 18446744073709551615}]
    bundle.process["oomScoreAdj"] = 333
    out = bundle.ok("hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_unprivileged_port_start "
                    "/proc/sys/kernel/msgmax /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn; ulimit -Hc; "
                    "grep NoNewPrivs /proc/self/status; ip -o link show lo | grep -c UP")
    assert out.split("\n")[:-1] == ["box", "example", "0", "9999", "333", "77", "88", "unlimited",
                                    "NoNewPrivs:\t1", "1"]


def test_E24_devices_are_the_specifications(bundle):
    out = bundle.ok("cd /dev; for f in *; do [ ! -h $f ] && [ -c $f ] && stat -c '%n %a %t:%T' $f; done; readlink fd; readlink ptmx; "
                    "echo x > null; head -c 4 zero | wc -c; head -c 4 urandom | wc -c")
    assert sorted(out.split("\n")[:6]) == ["full 666 1:7", "null 666 1:3", "random 666 1:8", "tty 666 5:0",
                                           "urandom 666 1:9", "zero 666 1:5"]
    assert out.split("\n")[6:10] == ["/proc/self/fd", "pts/ptmx", "4", "4"]


def test_E24_other_devices_do_not_open(bundle):
    if not (CGROUPS / "devices").exists() and not (CGROUPS / "cgroup.controllers").exists():
        pytest.skip("no device controller")
    for name in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][name] = DOCKER_CAPS
    out = bundle.sh("mknod /kmsg c 1 11; cat /kmsg >/dev/null && echo opened; mknod /mem c 1 1; "
                    "head -c 1 /mem && echo opened; mknod /vda b 254 0; head -c 1 /vda && echo opened").out
    assert "opened" not in out


def test_devices_of_the_configuration(bundle):
    bundle.config["linux"]["devices"] = [
        {"type": "c", "path": "/dev/sub/fuse", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 5, "gid": 6}]
    assert bundle.ok("stat -c '%a %u %g %t:%T' /dev/sub/fuse") == "640 5 6 a:e5\n"


def test_E25_masked_and_read_only_paths(bundle):
    out = bundle.ok("cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l; "
                    "echo 1 > /proc/sys/kernel/panic && echo written; echo b > /proc/sysrq-trigger && echo written; "
                    "rm /proc/keys && echo removed; umount /proc/keys && echo unmounted; "
                    "mount -o remount,rw /proc/sys && echo remounted; grep -c ' /proc/keys ' /proc/self/mountinfo")
    assert out.split() == ["0", "0", "1"]


@pytest.mark.parametrize("make", [lambda null: null.symlink_to("/proc/sys/kernel/core_pattern"),
                                  lambda null: null.write_text("")])
def test_E05_masks_need_a_real_dev_null(bundle, make):
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    make(bundle.rootfs / "dev/null")
    result = bundle.sh("echo x > /proc/keys; echo started")
    assert result.code == 1 and "started" not in result.out, str(result)


def test_root_can_be_read_only(bundle):
    bundle.config["root"]["readonly"] = True
    result = bundle.sh("touch /x; touch /dev/x && touch /dev/shm/y && echo tmpfs")
    assert "tmpfs" in result.out and not (bundle.rootfs / "x").exists()


def test_binds_tmpfs_and_copy_up(bundle, canary):
    bundle.config["mounts"] += [
        {"destination": "/data", "type": "bind", "source": str(canary), "options": ["rbind", "ro"]},
        {"destination": "/etc/canary", "type": "bind", "source": str(canary / "file"), "options": ["bind", "rro"]},
        {"destination": "/srv", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m,mode=711", "tmpcopyup"]},
        {"destination": "/fresh", "type": "tmpfs", "source": "tmpfs", "options": ["noexec"]},
    ]
    home = bundle.rootfs / "srv/u"
    home.mkdir(parents=True)
    (home / "note").write_text("hello")
    (home / "link").symlink_to("note")
    out = bundle.ok("cat /etc/canary /data/file /srv/u/link; echo; touch /data/x || echo refused; "
                    "stat -c %a /srv /fresh; echo new > /srv/u/note")
    assert out == "canary\ncanary\nhello\nrefused\n711\n1777\n"
    assert (home / "note").read_text() == "hello"


def test_relative_bind_sources_start_at_the_bundle(bundle):
    (bundle.folder / "extra").write_text("here\n")
    bundle.config["mounts"].append({"destination": "/x", "type": "none", "source": "extra", "options": ["bind"]})
    assert bundle.ok("cat /x") == "here\n"


def test_cgroup_namespace_shows_its_own_root(bundle):
    out = bundle.ok("cat /proc/self/cgroup; ls /sys/fs/cgroup; mkdir /sys/fs/cgroup/devices/x && echo made; true")
    assert all(line.split(":")[2] == "/" for line in out.split("\n") if line.count(":") == 2)
    assert "made" not in out


def test_limits_reach_the_cgroup(bundle):
    if not (CGROUPS / "memory").exists() and not (CGROUPS / "cgroup.controllers").exists():
        pytest.skip("no memory controller")
    bundle.config["linux"]["resources"].update(memory={"limit": 32 << 20}, pids={"limit": 20})
    out = bundle.sh("cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max "
                    "/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; "
                    "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done; echo all").out
    assert out.split()[:2] == [str(32 << 20), "20"]
    assert "all" not in out
    result = bundle.sh("dd if=/dev/zero of=/dev/shm/x bs=1M count=60 2>/dev/null; echo $?")
    assert result.out.strip() != "0"


def test_new_user_namespace(bundle):
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.config["linux"].update(uidMappings=maps, gidMappings=maps)
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    subprocess.run(["chown", "-R", "100000:100000", bundle.rootfs], check=True)
    out = bundle.ok("id -u; cat /proc/self/uid_map; echo x > /dev/null; stat -c %t:%T /dev/zero; "
                    "touch /made; mount -t tmpfs x /mnt 2>/dev/null && echo mounted; hostname")
    assert out.split() == ["0", "0", "100000", "65536", "1:5", "kogge"]
    assert (bundle.rootfs / "made").stat().st_uid == 100000


def test_joined_namespaces_are_those_of_the_path(bundle, scratch):
    other = subprocess.Popen(["unshare", "-n", "-i", "-u", "sh", "-c", "hostname joined; echo ready; read x"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"ready\n"
        for ns in bundle.config["linux"]["namespaces"]:
            file = {"network": "net", "ipc": "ipc", "uts": "uts"}.get(ns["type"])
            if file:
                ns["path"] = f"/proc/{other.pid}/ns/{file}"
        del bundle.config["hostname"]
        wanted = [os.readlink(f"/proc/{other.pid}/ns/{f}") for f in ("net", "ipc", "uts")]
        assert bundle.ok("hostname; for f in net ipc uts; do readlink /proc/self/ns/$f; done").split() == \
            ["joined"] + wanted
    finally:
        other.communicate(b"\n")


# ---- what it must not be ----------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "/../../.."])
def test_E01_cwd_never_leaves_the_container(bundle, suffix, canary):
    for number in range(3, 20):
        bundle.process["cwd"] = f"/proc/self/fd/{number}{suffix}"
        result = bundle.sh("pwd; ls; ls canary file", options=["--preserve-fds", "0"])
        assert "secret" not in result.out, str(result)
        assert result.code != 0 or (bundle.rootfs / "bin").exists()


def test_E02_no_descriptor_leaks(bundle):
    extra = [os.open("/", os.O_RDONLY) for _ in range(20)]
    for fd in extra:
        os.set_inheritable(fd, True)
    try:
        assert bundle.create("/bin/sh", "-c", "ls /proc/self/fd", close_fds=False) == 0
        pid = int((bundle.folder / "pid").read_text())
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            assert target.startswith(("socket:", "pipe:", "anon_inode:")) or \
                target in ("/dev/null", str(bundle.folder / "out")), (fd, target)
        assert bundle.runtime("start", bundle.id).code == 0
        wait_gone(pid)
        assert bundle.out.split() == ["0", "1", "2", "3"]  # 3 is the folder that ls reads
    finally:
        for fd in extra:
            os.close(fd)


def test_preserved_descriptors_arrive(bundle):
    read, write = os.pipe()
    os.write(write, b"through\n")
    os.close(write)
    os.dup2(read, 100)
    process = bundle.folder / "run.sh"
    bundle.process["args"] = ["/bin/sh", "-c", "cat <&3; ls /proc/self/fd | tr '\\n' ' '"]
    bundle.write()
    process.write_text(f"exec 3<&{read}\nexec {program.PROGRAMS / 'kogge-runtime'} --root {bundle.states} "
                       f"run --bundle {bundle.folder} --preserve-fds 1 {bundle.id}\n")
    result = program.run(["bash", process], pass_fds=[read])
    os.close(read)
    os.close(100)
    assert result.out == "through\n0 1 2 3 4 ", str(result)


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_E11_proc_must_be_an_ordinary_folder(bundle, name):
    (bundle.rootfs / name).rmdir()
    (bundle.rootfs / name).symlink_to("/tmp")
    result = bundle.sh("echo started")
    assert result.code == 1 and "ordinary directory" in result.err, str(result)


@pytest.mark.parametrize("target", ["/proc", "/proc/self", "//proc//", "/proc/sys/kernel"])
def test_E12_nothing_covers_proc(bundle, target, canary):
    bundle.config["mounts"].append(
        {"destination": target, "type": "bind", "source": str(canary), "options": ["bind"]})
    result = bundle.sh("echo started")
    assert result.code == 1 and "started" not in result.out, str(result)


def test_E10_dev_links_stay_inside(bundle, canary):
    outside = bundle.folder / "outside"
    outside.mkdir()
    (outside / "ptmx").write_text("mine")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.rootfs / "dev").rmdir()
    (bundle.rootfs / "dev").symlink_to(outside)
    bundle.sh("true")
    assert [p.name for p in outside.iterdir()] == ["ptmx"] and (outside / "ptmx").read_text() == "mine"


def test_E13_huge_configurations_are_errors_or_work(bundle):
    bundle.process["env"] += [f"V{i}={'x' * 1000}" for i in range(300)]
    assert bundle.ok("env | wc -l").strip() >= "300"
    bundle.process["env"] += ["W=" + "x" * (17 << 20)]
    result = bundle.sh("true")
    assert result.code == 1 and "config.json" in result.err


def test_E17_hooks_get_a_clean_environment(bundle):
    hook = bundle.folder / "hook.sh"
    out = bundle.folder / "hook.out"
    hook.write_text(f"#!/bin/sh\n(echo point=$1; /usr/bin/env; pwd; cat; echo) >> {out}\n")
    hook.chmod(0o755)
    points = ["prestart", "createRuntime", "poststart", "poststop"]
    bundle.config["hooks"] = {p: [{"path": str(hook), "args": ["hook", p], "env": ["A=b"]}] for p in points}
    bundle.config["hooks"]["createContainer"] = [{"path": str(hook), "args": ["hook", "createContainer"]}]
    bundle.config["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": ["sh", "-c", "cat > /started"]}]
    bundle.process["env"].append("LD_PRELOAD=/evil.so")
    bundle.ok("cat /started")
    text = out.read_text()
    assert "LD_PRELOAD" not in text
    order = [line[6:] for line in text.split("\n") if line.startswith("point=")]
    assert order == ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    assert json.loads((bundle.rootfs / "started").read_text())["id"] == bundle.id


def test_hooks_that_fail_or_hang_stop_the_start(bundle):
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    result = bundle.sh("echo started")
    assert result.code == 1 and "/bin/false" in result.err and "started" not in result.out
    bundle.config["hooks"] = {"prestart": [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}
    result = bundle.sh("echo started")
    assert result.code == 1 and "longer" in result.err
    assert bundle.leftovers() == []


def test_E30_clone3_and_unknown_calls_are_not_there(bundle):
    bundle.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                     {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
                      "args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ"}]},
                     {"names": ALLOWED, "action": "SCMP_ACT_ALLOW"}]}
    out = bundle.ok("grep Seccomp: /proc/self/status; mkdir /refused 2>&1 || true")
    assert "Seccomp:\t2" in out and "not permitted" in out


ALLOWED = """read write open openat close stat fstat newfstatat lstat poll lseek mmap mprotect munmap brk
    rt_sigaction rt_sigprocmask rt_sigreturn ioctl access pipe pipe2 select dup dup2 dup3 getpid clone fork vfork
    execve exit exit_group wait4 kill uname fcntl getcwd chdir fchdir readlink readlinkat getuid getgid geteuid getegid
    getppid getpgrp setsid prctl arch_prctl set_tid_address set_robust_list futex sched_getaffinity prlimit64
    getrandom rseq statx faccessat faccessat2 sendfile capget capset setgroups setresuid setresgid setuid setgid
    umask close_range sendmsg recvmsg accept4 accept execveat seccomp fchown openat2 gettid tgkill writev""".split()


# ---- terminal ---------------------------------------------------------------------------------


def test_terminal_goes_to_the_console_socket(bundle):
    bundle.process["terminal"] = True
    bundle.process["consoleSize"] = {"height": 33, "width": 77}
    path = bundle.folder / "console"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        result = bundle.run("/bin/sh", "-c", "stty size; tty; test -c /dev/console && echo console; read x; echo got $x",
                            options=["--detach", "--console-socket", path])
        assert result.code == 0, str(result)
        conn, _ = server.accept()
        fds = array.array("i")
        _, ancillary, _, _ = conn.recvmsg(100, socket.CMSG_SPACE(4))
        fds.frombytes(ancillary[0][2])
        conn.close()
    master = fds[0]
    os.write(master, b"word\n")
    out = b""
    try:
        while b"got word" not in out:
            out += os.read(master, 1000)
    except OSError:
        pass
    os.close(master)
    # The terminal echoes what was typed, at any moment before the answer.
    text = out.decode().replace("\r", "").replace("word\n", "", 1)
    assert "33 77\n/dev/pts/0\nconsole\n" in text and "got word" in text


# ---- life cycle -------------------------------------------------------------------------------


def test_create_start_kill_delete(bundle):
    assert bundle.create("/bin/sh", "-c", "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 1; done") == 0
    state = bundle.state()
    assert (state["status"], state["id"]) == ("created", bundle.id)
    assert bundle.out == ""
    assert bundle.create("/bin/true") == 1 and "exists" in bundle.out
    assert bundle.runtime("delete", bundle.id).code == 1
    assert bundle.runtime("start", bundle.id).code == 0
    pid = bundle.state()["pid"]
    assert bundle.state()["status"] == "running"
    assert bundle.runtime("start", bundle.id).code == 1
    listed = bundle.runtime("list", "--format", "json").json
    assert [(c["id"], c["status"], c["pid"]) for c in listed] == [(bundle.id, "running", pid)]
    assert bundle.runtime("kill", bundle.id, "KILL").code == 0
    wait_gone(pid)
    assert bundle.state()["status"] == "stopped" and bundle.state()["pid"] == 0
    assert bundle.runtime("kill", bundle.id).code == 1
    assert bundle.runtime("delete", bundle.id).code == 0
    assert bundle.runtime("state", bundle.id).code == 1
    assert bundle.leftovers() == []


def test_create_tells_of_a_missing_program(bundle):
    assert bundle.create("/no/such/program") == 127
    assert "/no/such/program" in bundle.out
    assert bundle.leftovers() == []


def test_features_are_told(bundle):
    assert "seccomp" in bundle.runtime("features").json["linux"]


# ---- killed runtimes --------------------------------------------------------------------------

CREATE_POINTS = ["runtime.create.after_config", "runtime.create.after_intent", "runtime.create.after_cgroup", "runtime.create.after_spawn",
                 "runtime.create.after_plan", "runtime.create.after_record"]
DELETE_POINTS = ["runtime.delete.after_kill", "runtime.delete.after_cgroup"]


@pytest.mark.parametrize("action", ["kill", "error(EIO)"])
@pytest.mark.parametrize("point", CREATE_POINTS)
def test_F01_create_that_dies_leaves_what_delete_removes(bundle, point, action):
    code = bundle.create("/bin/true", env={**os.environ, "KOGGE_FAILPOINTS": f"{point}={action}"})
    assert code == (-signal.SIGKILL if action == "kill" else 1), bundle.out
    if action != "kill":
        assert bundle.leftovers() == []
    result = bundle.runtime("delete", "--force", bundle.id)
    assert result.code == 0, str(result)
    assert bundle.leftovers() == []


@pytest.mark.parametrize("point", CREATE_POINTS[:4])
def test_F01_create_takes_over_what_a_killed_create_left(bundle, point):
    bundle.create("/bin/true", env={**os.environ, "KOGGE_FAILPOINTS": f"{point}=kill"})
    result = bundle.sh("echo again")
    assert (result.code, result.out) == (0, "again\n"), str(result)


@pytest.mark.parametrize("point", DELETE_POINTS)
def test_F01_delete_that_dies_is_ended_by_the_next(bundle, point):
    assert bundle.create("/bin/sleep", "100") == 0
    assert bundle.runtime("start", bundle.id).code == 0
    env = {"KOGGE_FAILPOINTS": f"{point}=kill"}
    assert bundle.runtime("delete", "--force", bundle.id, env=env).code == -signal.SIGKILL
    assert bundle.runtime("delete", "--force", bundle.id).code == 0
    assert bundle.leftovers() == []


@pytest.mark.slow
def test_F01_create_killed_at_random_times(bundle):
    bundle.process["args"] = ["/bin/sleep", "100"]
    bundle.write()
    for i in range(60):
        with open(bundle.folder / "out", "wb") as out:
            process = subprocess.Popen(
                [program.PROGRAMS / "kogge-runtime", "--root", bundle.states, "create", "--bundle", bundle.folder,
                 bundle.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            process.wait(i * 0.00025)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        result = bundle.runtime("delete", "--force", bundle.id)
        assert result.code == 0, f"after {i * 250} us: {result}"
        assert bundle.leftovers() == []
