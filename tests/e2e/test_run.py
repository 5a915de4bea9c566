# SPDX-License-Identifier: Apache-2.0
"""`kogge run`: every flag by its effect in the container, or by what `inspect` says."""
import os
import pathlib
import re

import pytest

pytestmark = pytest.mark.needs_root

SHELL = ("busybox", "sh", "-c")
CGROUP = pathlib.Path("/sys/fs/cgroup")


def sh(kogge, script, *flags, **options):
    """Runs SCRIPT in a new container with FLAGS; its output without the last newline."""
    return kogge.ok("run", "--rm", *flags, *SHELL, script, **options).rstrip("\n")


def created(kogge, *flags):
    """What inspect says of a container that was created with FLAGS."""
    name = kogge.ok("create", *flags, "busybox", "true").strip()
    found = kogge.inspect(name)
    kogge.ok("rm", name)
    return found


def need_controller(name):
    """Skips where neither version of cgroups has the controller NAME here."""
    unified = CGROUP / "cgroup.controllers"
    if not (CGROUP / name).is_dir() and not (unified.exists() and name in unified.read_text().split()):
        pytest.skip(f"this machine has no cgroup controller '{name}'")


def limit(kogge, *flags, v1, v2):
    """The content of the limit's file, read in the container."""
    path = v2 if (CGROUP / "cgroup.controllers").exists() else v1
    return sh(kogge, f"cat /sys/fs/cgroup/{path}", *flags)


# -- process ---------------------------------------------------------------------------------------

def test_rm_leaves_no_container(box):
    before = box.files()
    assert sh(box, "echo hi") == "hi"
    assert box.ok("ps", "-aq") == ""
    assert not {f for f in box.files() - before if "/containers/" in f or "/snapshots/" in f}


def test_without_rm_the_container_stays(box):
    assert box("run", "--name", "stays", *SHELL, "exit 3").code == 3
    state = box.inspect("stays")["State"]
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 3, 0)
    box.ok("rm", "stays")


def test_interactive_reads_stdin_and_without_it_there_is_none(box):
    assert box.ok("run", "--rm", "-i", "busybox", "cat", input="abc") == "abc"
    assert box.ok("run", "--rm", "busybox", "cat", input="abc") == ""


def test_env_file_then_flags_then_the_callers_value(box, scratch):
    file = scratch / "env"
    file.write_text("# a comment\n\nA=file\nB=file\n  C=with = and spaces  \nFROM_CALLER\nNOT_SET_ANYWHERE\n")
    out = sh(box, "env", "--env-file", file, "-e", "B=flag", "-e", "ALSO_CALLER", "-e", "EMPTY=",
             env={"FROM_CALLER": "1", "ALSO_CALLER": "2"}).splitlines()
    assert {"A=file", "B=flag", "C=with = and spaces  ", "FROM_CALLER=1", "ALSO_CALLER=2", "EMPTY="} <= set(out)
    assert not [line for line in out if line.startswith("NOT_SET")]


def test_bad_env_files_are_refused_by_line(box, scratch):
    file = scratch / "env"
    file.write_text("=novalue\n")
    box.fails(125, "run", "--rm", "--env-file", file, "busybox", "true", saying="no variable name")
    file.write_text("A B=1\n")
    box.fails(125, "run", "--rm", "--env-file", file, "busybox", "true", saying="whitespace")
    box.fails(125, "run", "--rm", "--env-file", scratch / "none", "busybox", "true", saying="none")
    assert box.ok("ps", "-aq") == ""


def test_default_environment_is_dockers(box):
    out = dict(line.split("=", 1) for line in sh(box, "env").splitlines())
    assert out["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert out["HOME"] == "/root" and re.fullmatch("[0-9a-f]{12}", out["HOSTNAME"])
    assert "TERM" not in out


def test_terminal_adds_term(box):
    assert sh(box, "echo $TERM; tty; test -t 1 && echo yes", "-t").split() == ["xterm", "/dev/pts/0", "yes"]


def test_workdir_is_made_and_entered(box):
    assert sh(box, "pwd; ls -ld /a/b | cut -c1-10", "-w", "/a/b").split() == ["/a/b", "drwxr-xr-x"]
    box.fails(125, "run", "--rm", "-w", "relative", "busybox", "true", saying="absolute")
    box.fails((125, 126, 127), "run", "--rm", "-w", "/bin/sh", "busybox", "true", saying="/bin/sh")
    assert box.ok("ps", "-aq") == ""


@pytest.mark.parametrize("user, want", [
    ("alice", "1000 1000 /home/alice 1000 50"), ("1000", "1000 1000 /home/alice 1000 50"),
    ("alice:daemon", "1000 1 /home/alice 1"), ("1000:50", "1000 50 /home/alice 50"),
    ("4242", "4242 0 / 0"), ("4242:77", "4242 77 / 77"), ("0", "0 0 /root 0"), ("root", "0 0 /root 0")])
def test_user_by_name_and_number(box, user, want):
    assert sh(box, "echo $(id -u) $(id -g) $HOME $(id -G)", "-u", user) == want


@pytest.mark.parametrize("user", ["nobodyknows", "alice:nogroup", "-1", "4294967296", "1000:99999999999"])
def test_unknown_users_are_refused(box, user):
    box.fails((125, 126), "run", "--rm", "-u", user, "busybox", "true", saying=user.split(":")[-1])
    assert box.ok("ps", "-aq") == ""


def test_group_add_by_name_and_number(box):
    assert sh(box, "id -G", "-u", "4242", "--group-add", "staff", "--group-add", "77").split() == ["0", "50", "77"]
    box.fails((125, 126), "run", "--rm", "--group-add", "nosuch", "busybox", "true", saying="nosuch")


def test_entrypoint(box):
    assert box.ok("run", "--rm", "--entrypoint", "/bin/echo", "busybox", "a", "b") == "a b\n"
    assert box.ok("run", "--rm", "--entrypoint", "echo", "busybox") == "\n"
    assert box.ok("run", "--rm", "--entrypoint", "", "busybox", "echo", "x") == "x\n"


def test_image_entrypoint_and_cmd(kogge, busybox_tar):
    kogge.ok("import", "-c", 'ENTRYPOINT ["echo","e"]', "-c", 'CMD ["c"]', busybox_tar, "img")
    assert kogge.ok("run", "--rm", "img") == "e c\n"
    assert kogge.ok("run", "--rm", "img", "x") == "e x\n"
    assert kogge.ok("run", "--rm", "--entrypoint", "printf", "img", "y") == "y"


def test_image_without_command_needs_one(box):
    box.fails(125, "run", "--rm", "busybox", saying="no command specified")
    assert box.ok("ps", "-aq") == ""


def test_init_is_pid_1_and_reaps(box):
    out = sh(box, "cat /proc/1/comm; (true &); echo $$", "--init").split()
    assert "init" in out[0] and out[1] != "1"
    assert box("run", "--rm", "--init", *SHELL, "exit 7").code == 7
    assert box("run", "--rm", "--init", *SHELL, "kill -9 $$").code == 137
    assert box("run", "--rm", "--init", "busybox", "nosuchprogram").code == 127


# -- names -----------------------------------------------------------------------------------------

def test_name_is_taken_once_and_conflicts_name_the_holder(box):
    id_ = box.ok("create", "--name", "one", "busybox", "true").strip()
    box.fails(125, "run", "--name", "one", "busybox", "true", saying=id_[:12])
    box.fails(1, "create", "--name", "one", "busybox", "true", saying="one")
    for bad in ("-x", "a b", "a/b", "é", "a"):
        box.fails(125, "run", "--rm", f"--name={bad}", "busybox", "true", saying="name")
    box.ok("run", "--rm", "--name=", "busybox", "true")
    assert box.ok("ps", "-a", "--format", "{{.Names}}").split() == ["one"]
    box.ok("rm", "one")


def test_hostname_and_domainname(box):
    out = sh(box, "hostname; cat /etc/hostname /proc/sys/kernel/domainname",
             "--hostname", "web", "--domainname", "example.org").splitlines()
    assert out == ["web", "web", "example.org"]


def test_hostname_forms(box):
    box.fails(125, "run", "--rm", "--hostname", "a" * 70, "busybox", "true", saying="host name")
    assert sh(box, "hostname", "-h", "h") == "h"
    box.fails(125, "run", "--rm", "--uts", "host", "--hostname", "x", "busybox", "true", saying="uts")


def test_add_host(box):
    out = sh(box, "cat /etc/hosts", "--add-host", "db:10.0.0.7", "--add-host", "v6:::1")
    assert re.search(r"^10\.0\.0\.7\s+db$", out, re.M) and re.search(r"^::1\s+v6$", out, re.M)
    box.fails(125, "run", "--rm", "--add-host", "db", "busybox", "true", saying="db")
    box.fails(125, "run", "--rm", "--add-host", "db:1.2.3.400", "busybox", "true", saying="1.2.3.400")


def test_labels(box, scratch):
    file = scratch / "labels"
    file.write_text("a=file\nb=file\n#c=comment\nd\n")
    labels = created(box, "--label-file", file, "-l", "b=flag", "--label", "e=x=y")["Config"]["Labels"]
    assert labels == {"a": "file", "b": "flag", "d": "", "e": "x=y"}


def test_cidfile(box, scratch):
    file = scratch / "cid"
    assert sh(box, "hostname", "--cidfile", file) == file.read_text()[:12]
    assert len(file.read_text()) == 64
    box.fails(125, "run", "--rm", "--cidfile", file, "busybox", "true", saying="container ID file found")
    other = scratch / "other"
    box.fails(125, "run", "--rm", "--cidfile", other, "--pull", "never", "nosuch", "true", saying="nosuch")
    assert not other.exists()
    box.fails(125, "run", "--rm", "--cidfile", scratch / "no" / "cid", "busybox", "true", saying="cid")
    assert box.ok("ps", "-aq") == ""


# -- capabilities and privileges -------------------------------------------------------------------

def caps(kogge, *flags):
    out = sh(kogge, "grep Cap /proc/self/status", *flags)
    return {line.split()[0][3:6]: int(line.split()[1], 16) for line in out.splitlines()}


def test_capabilities_added_and_dropped(box):
    assert caps(box, "--cap-add", "NET_ADMIN")["Eff"] == 0xA80425FB | 1 << 12
    assert caps(box, "--cap-add", "cap_sys_time")["Bnd"] == 0xA80425FB | 1 << 25
    assert caps(box, "--cap-drop", "CHOWN")["Eff"] == 0xA80425FA
    assert caps(box, "--cap-drop", "ALL")["Bnd"] == 0
    assert caps(box, "--cap-drop", "ALL", "--cap-add", "KILL")["Bnd"] == 1 << 5
    assert caps(box, "--cap-add", "ALL", "--cap-drop", "KILL")["Eff"] & (1 << 5 | 1 << 12) == 1 << 12
    box.fails(125, "run", "--rm", "--cap-add", "NOSUCH", "busybox", "true", saying="NOSUCH")


def test_privileged(box):
    script = "grep -E 'CapEff|Seccomp:' /proc/self/status; ls /dev | wc -l; " \
             "grep -c ' /proc/' /proc/self/mounts; touch /proc/sys/kernel/x 2>&1; " \
             "mount -t tmpfs t /tmp && echo mounted; grep ' /sys sysfs' /proc/self/mounts | cut -d' ' -f4 | cut -c1-2"
    out = sh(box, script, "--privileged").splitlines()
    with open("/proc/self/status", encoding="utf-8") as f:
        bounding = int(re.search(r"CapBnd:\s*([0-9a-f]+)", f.read())[1], 16)
    assert int(out[0].split()[1], 16) == bounding and out[1].split()[1] == "0"
    assert int(out[2]) > 20 and out[3] == "0" and "mounted" in out and out[-1] == "rw"


def test_security_options(box, scratch):
    assert sh(box, "grep Seccomp: /proc/self/status", "--security-opt", "seccomp=unconfined").split()[1] == "0"
    assert sh(box, "grep NoNewPrivs /proc/self/status", "--security-opt", "no-new-privileges").split()[1] == "1"
    assert sh(box, "grep NoNewPrivs /proc/self/status", "--security-opt", "no-new-privileges:true").split()[1] == "1"
    assert sh(box, "grep -c ' /proc/' /proc/self/mounts || true", "--security-opt", "systempaths=unconfined") == "0"
    profile = scratch / "profile.json"
    profile.write_text('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],'
                       '"action":"SCMP_ACT_ERRNO","errnoRet":95}]}')
    out = box("run", "--rm", "--security-opt", f"seccomp={profile}", "busybox", "mkdir", "/x")
    assert out.code == 1 and "not supported" in out.err.lower()
    assert created(box, "--security-opt", "label=disable")["HostConfig"]["SecurityOpt"] == ["label=disable"]
    box.fails(125, "run", "--rm", "--security-opt", "nonsense=1", "busybox", "true", saying="nonsense")
    box.fails(125, "run", "--rm", "--security-opt", f"seccomp={scratch}/none", "busybox", "true", saying="none")
    profile.write_text("{")
    box.fails(125, "run", "--rm", "--security-opt", f"seccomp={profile}", "busybox", "true", saying="seccomp")
    profile.write_text('{"defaultAction":"SCMP_ACT_NOSUCH"}')
    box.fails(125, "run", "--rm", "--security-opt", f"seccomp={profile}", "busybox", "true", saying="SCMP_ACT_NOSUCH")
    assert box.ok("ps", "-aq") == ""


def test_apparmor_of_a_kernel_without_it(box):
    if os.path.exists("/sys/module/apparmor/parameters/enabled"):
        pytest.skip("the kernel has AppArmor")
    assert sh(box, "echo ok", "--security-opt", "apparmor=unconfined") == "ok"


# -- file systems ----------------------------------------------------------------------------------

def test_read_only_root(box):
    out = box("run", "--rm", "--read-only", *SHELL, "touch /x; touch /dev/shm/y && echo shm")
    assert "Read-only" in out.err and out.out == "shm\n"


def test_tmpfs(box):
    out = sh(box, "grep ' /t ' /proc/self/mounts; stat -c %a /t; touch /t/x && echo ok",
             "--tmpfs", "/t:size=2m,mode=1770")
    assert "size=2048k" in out and "nosuid,nodev,noexec" in out and "1770" in out and out.endswith("ok")
    assert "size=" not in sh(box, "grep ' /t/u ' /proc/self/mounts", "--tmpfs", "/t/u")
    assert sh(box, "cp /bin/busybox /t/echo; /t/echo run", "--tmpfs", "/t:exec") == "run"
    for bad in ("relative", "/t:nonsense=1", "/t:size=abc"):
        box.fails((125, 126), "run", "--rm", "--tmpfs", bad, "busybox", "true")
    assert box.ok("ps", "-aq") == ""


def test_shm_size(box):
    assert sh(box, "df -k /dev/shm | tail -1").split()[1] == "65536"
    assert sh(box, "df -k /dev/shm | tail -1", "--shm-size", "128m").split()[1] == "131072"
    box.fails(125, "run", "--rm", "--shm-size", "-1", "busybox", "true", saying="shm-size")


def test_device(box):
    assert sh(box, "stat -c '%t:%T' /dev/fuse; stat -c '%t:%T' /dev/other", "--device", "/dev/null:/dev/other",
              "--device", "/dev/zero:/dev/fuse").split() == ["1:5", "1:3"]
    box.fails((125, 126), "run", "--rm", "--device", "/dev/nosuch", "busybox", "true", saying="/dev/nosuch")
    box.fails(125, "run", "--rm", "--device", "/dev/null:/dev/x:q", "busybox", "true", saying="q")


def test_device_permissions_are_the_cgroups(box):
    need_controller("devices")
    if not os.path.exists("/dev/kmsg"):
        pytest.skip("no /dev/kmsg")
    refused = "head -c0 /dev/k; (: >/dev/k) 2>&1; true"
    assert "not permitted" in sh(box, refused, "--device", "/dev/kmsg:/dev/k:r")
    assert "not permitted" not in sh(box, refused, "--device", "/dev/kmsg:/dev/k:rw")


def test_device_cgroup_rule(box):
    need_controller("devices")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("no device to open")
    script = "mknod /k c 10 200; (: </k) 2>&1 && echo opened"
    assert "not permitted" in box("run", "--rm", *SHELL, script).out
    assert sh(box, script, "--device-cgroup-rule", "c 10:200 r") == "opened"
    assert sh(box, script, "--device-cgroup-rule", "c 10:* rwm") == "opened"
    box.fails(125, "run", "--rm", "--device-cgroup-rule", "x 1:1 r", "busybox", "true", saying="x 1:1 r")


# -- limits ----------------------------------------------------------------------------------------

def test_ulimit(box):
    assert sh(box, "ulimit -Sn; ulimit -Hn", "--ulimit", "nofile=100:200").split() == ["100", "200"]
    assert sh(box, "ulimit -Sc; ulimit -Hc", "--ulimit", "core=0").split() == ["0", "0"]
    # Few descriptors are few for the program, not for what prepares its directory.
    assert sh(box, "ulimit -Sn; ulimit -Hn; pwd", "--ulimit", "nofile=10:20", "-w", "/a/b/c").split() == ["10", "20", "/a/b/c"]
    assert sh(box, "ulimit -Hn", "-u", "1:1", "--ulimit", "nofile=4:4").split() == ["4"]
    for bad in ("nosuch=1", "nofile=200:100", "nofile", "nofile=x"):
        box.fails(125, "run", "--rm", "--ulimit", bad, "busybox", "true")
    assert box.ok("ps", "-aq") == ""


def test_sysctl(box):
    out = sh(box, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced /proc/sys/fs/mqueue/msg_max",
             "--network", "none", "--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.shm_rmid_forced=1",
             "--sysctl", "fs.mqueue.msg_max=20")
    assert out.split() == ["1", "1", "20"]


def test_memory(box):
    need_controller("memory")
    assert limit(box, "-m", "64m", v1="memory/memory.limit_in_bytes", v2="memory.max") == str(64 << 20)
    assert limit(box, "-m", "64m", "--memory-reservation", "32m", v1="memory/memory.soft_limit_in_bytes",
                 v2="memory.low") == str(32 << 20)
    box.fails(125, "run", "--rm", "-m", "1k", "busybox", "true", saying="6MB")
    box.fails(125, "run", "--rm", "-m", "abc", "busybox", "true", saying="abc")
    box.fails(125, "run", "--rm", "-m", "64m", "--memory-reservation", "65m", "busybox", "true", saying="reservation")
    box.fails(125, "run", "--rm", "--memory-swap", "64m", "busybox", "true", saying="memory")
    box.fails(125, "run", "--rm", "-m", "64m", "--memory-swap", "63m", "busybox", "true", saying="swap")
    assert box.ok("ps", "-aq") == ""


def test_memory_swap(box):
    need_controller("memory")
    host = created(box, "-m", "64m", "--memory-swap", "-1")["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (64 << 20, -1)
    if not (CGROUP / "memory" / "memory.memsw.limit_in_bytes").exists():
        pytest.skip("the kernel does not count swap")
    assert limit(box, "-m", "64m", "--memory-swap", "96m", v1="memory/memory.memsw.limit_in_bytes",
                 v2="memory.swap.max") == str(96 << 20)


def test_out_of_memory_is_told(box):
    need_controller("memory")
    result = box("run", "--name", "oom", "-m", "16m", *SHELL, "dd if=/dev/zero of=/dev/null bs=64M count=1")
    assert result.code == 137
    assert box.inspect("oom")["State"]["OOMKilled"] is True
    box.ok("rm", "oom")


def test_cpu(box):
    need_controller("cpu")
    shares = limit(box, "--cpu-shares", "512", v1="cpu/cpu.shares", v2="cpu.weight")
    assert shares in ("512", "20")
    if (CGROUP / "cpu" / "cpu.cfs_quota_us").exists():
        assert limit(box, "--cpus", "0.5", v1="cpu/cpu.cfs_quota_us", v2="cpu.max").startswith("50000")
    else:
        box.fails(125, "run", "--rm", "--cpus", "0.5", "busybox", "true", saying="cpu")
    box.fails(125, "run", "--rm", "--cpus", "-1", "busybox", "true", saying="cpus")
    box.fails(125, "run", "--rm", "--cpus", "1000", "busybox", "true", saying="range of CPUs")
    assert box.ok("ps", "-aq") == ""


def test_cpuset(box):
    need_controller("cpuset")
    assert limit(box, "--cpuset-cpus", "0", v1="cpuset/cpuset.cpus", v2="cpuset.cpus") == "0"
    assert sh(box, "grep Cpus_allowed_list /proc/self/status", "--cpuset-cpus", "0").split()[1] == "0"
    assert limit(box, "--cpuset-mems", "0", v1="cpuset/cpuset.mems", v2="cpuset.mems") == "0"
    box.fails(125, "run", "--rm", "--cpuset-cpus", "4000", "busybox", "true", saying="4000")
    box.fails(125, "run", "--rm", "--cpuset-cpus", "x", "busybox", "true", saying="x")
    assert box.ok("ps", "-aq") == ""


def test_pids_limit(box):
    need_controller("pids")
    assert limit(box, "--pids-limit", "50", v1="pids/pids.max", v2="pids.max") == "50"
    out = box("run", "--rm", "--pids-limit", "3", *SHELL, "for i in 1 2 3 4 5; do sleep 9 & done; echo end")
    assert "can't fork" in out.err


def test_limits_of_disks_that_cannot_be(box):
    for flag, value, saying in (
            ("--device-read-bps", "x:1", "bad format for device path: x:1"), ("--device-write-bps", "/dev/x", "bad format: /dev/x"),
            ("--device-read-iops", "/dev/x:y", "invalid rate for device"), ("--blkio-weight-device", "/dev/x:5", "invalid weight for device"),
            ("--device-write-iops", "/dev/nosuch:1", "finding the device '/dev/nosuch'"), ("--device-read-bps", "/dev/null:1", "it is no disk")):
        box.fails(125, "run", "--rm", "--network", "none", flag, value, "busybox", "true", saying=saying)
    assert box.ok("ps", "-aq") == ""


def test_blkio_weight(box):
    need_controller("blkio")
    box.fails(125, "run", "--rm", "--blkio-weight", "5", "busybox", "true", saying="weight")
    assert created(box, "--blkio-weight", "300")["HostConfig"]["BlkioWeight"] == 300
    if any((CGROUP / "blkio" / f).exists() for f in ("blkio.weight", "blkio.bfq.weight")):
        assert sh(box, "cat /sys/fs/cgroup/blkio/blkio*weight", "--blkio-weight", "300") == "300"


def test_oom_score_adj(box):
    assert sh(box, "cat /proc/self/oom_score_adj", "--oom-score-adj", "500") == "500"
    box.fails(125, "run", "--rm", "--oom-score-adj", "1001", "busybox", "true", saying="1001")


def test_oom_kill_disable(box):
    need_controller("memory")
    if not (CGROUP / "memory" / "memory.oom_control").exists():
        pytest.skip("only cgroup v1 has it")
    out = sh(box, "grep oom_kill_disable /sys/fs/cgroup/memory/memory.oom_control", "-m", "64m", "--oom-kill-disable")
    assert out.split()[1] == "1"


# -- namespaces ------------------------------------------------------------------------------------

def namespaces(kogge, *flags):
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    out = sh(kogge, "for n in " + " ".join(kinds) + "; do readlink /proc/self/ns/$n; done", *flags).split()
    return {kind for kind, name in zip(kinds, out) if name == os.readlink(f"/proc/self/ns/{kind}")}


@pytest.mark.parametrize("flags, shared", [
    ([], {"user"}), (["--ipc", "host"], {"user", "ipc"}), (["--pid", "host"], {"user", "pid"}),
    (["--uts", "host"], {"user", "uts"}), (["--network", "host"], {"user", "net"}),
    (["--network", "none"], {"user"}), (["--userns", "host"], {"user"}), (["--ipc", "private"], {"user"}),
    (["--ipc", "none"], {"user"}), (["--ipc", "shareable"], {"user"})])
def test_namespaces(box, flags, shared):
    assert namespaces(box, "--cgroupns", "private", *flags) == shared


def test_cgroup_namespace(box):
    assert "cgroup" in namespaces(box, "--cgroupns", "host")
    assert "cgroup" not in namespaces(box, "--cgroupns", "private")
    box.fails(125, "run", "--rm", "--cgroupns", "x", "busybox", "true", saying="cgroupns")


def test_ipc_none_has_no_shm(box):
    assert sh(box, "grep -c ' /dev/shm ' /proc/self/mounts || true", "--ipc", "none") == "0"


def test_joining_another_containers_namespaces(box):
    first = box.popen("run", "--rm", "-i", "--name", "first", "--ipc", "shareable", *SHELL,
                      "echo x >/dev/shm/f; for n in pid ipc net; do readlink /proc/self/ns/$n; done; cat", stdin=-1, stdout=-1)
    try:
        want = [first.stdout.readline() for _ in range(3)]
        out = sh(box, "for n in pid ipc net; do readlink /proc/self/ns/$n; done; cat /dev/shm/f",
                 "--pid", "container:first", "--ipc", "container:first", "--network", "container:first")
        assert out.encode().splitlines(True)[:3] == want and out.endswith("x")
        joins = created(box, "--pid", "container:first", "--ipc", "container:first")["HostConfig"]
        assert joins["PidMode"] == joins["IpcMode"] == "container:" + box.inspect("first")["Id"], "whatever it is called later"
    finally:
        first.communicate(b"", timeout=20)
    box.fails(125, "run", "--rm", "--pid", "container:first", "busybox", "true", saying="first")
    box.fails(125, "run", "--rm", "--network", "some-network", "busybox", "true", saying="some-network")
    assert box.ok("ps", "-aq") == ""


def test_network_none_has_a_loopback(box):
    assert sh(box, "ls /sys/class/net; ip addr show lo | grep -c 127.0.0.1", "--network", "none").split() == ["lo", "1"]


def test_bytes_that_are_no_utf8_are_the_same_in_every_start(box):
    words = [b"A=\xff\xc3x", b"echo $A \xfe; echo $1", b"\xc3\xa9"]
    env, script, word = (w.decode(errors="surrogateescape") for w in words)
    args = ["--name", "odd", "-e", env, *SHELL, script, "sh", word]
    said = "\ufffd\ufffdx \ufffd\n\u00e9\n"
    assert box.ok("run", *args) == said and box.ok("start", "-a", "odd") == said
    box.ok("rm", "odd")


# -- the rest --------------------------------------------------------------------------------------

def test_stop_signal_and_timeout_are_kept(box):
    config = created(box, "--stop-signal", "SIGUSR1", "--stop-timeout", "7")["Config"]
    assert (config["StopSignal"], config["StopTimeout"]) == ("SIGUSR1", 7)
    box.fails(125, "run", "--rm", "--stop-signal", "NOSUCH", "busybox", "true", saying="NOSUCH")


def test_pull(box):
    for how in ("missing", "never"):
        assert sh(box, "echo ok", "--pull", how) == "ok"
    box.fails(125, "run", "--rm", "--pull", "sometimes", "busybox", "true", saying="sometimes")
    box.fails(125, "run", "--rm", "--pull", "never", "nosuch", "true", saying="nosuch")


def test_platform(box):
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    other = "arm64" if machine == "amd64" else "amd64"
    assert sh(box, "echo ok", "--platform", f"linux/{machine}") == "ok"
    box.fails(125, "run", "--rm", "--platform", f"linux/{other}", "busybox", "true", saying=other)
    box.fails(125, "run", "--rm", "--platform", "a/b/c/d", "busybox", "true", saying="a/b/c/d")
    assert box.ok("ps", "-aq") == ""


def test_attach_chooses_streams(box):
    both = ("sh", "-c", "echo out; echo err >&2")
    r = box("run", "--rm", "-a", "stdout", "busybox", *both)
    assert (r.out, r.err) == ("out\n", "")
    r = box("run", "--rm", "-a", "stderr", "busybox", *both)
    assert (r.out, r.err) == ("", "err\n")
    assert box.ok("run", "--rm", "-a", "stdin", "-a", "stdout", "-i", "busybox", "cat", input="x") == "x"
    box.fails(125, "run", "--rm", "-a", "nowhere", "busybox", "true", saying="nowhere")


@pytest.mark.parametrize("args, saying", [
    (["--nosuchflag"], "nosuchflag"), (["-m"], "busybox"), (["--rm=maybe"], "maybe"),
    (["--detach-keys", "ctrl-1"], "ctrl-1"), (["--pids-limit", "x"], "x"), (["--ipc", "nonsense"], "nonsense")])
def test_bad_flags_are_125(box, args, saying):
    box.fails(125, "run", *args, "busybox", "true", saying=saying)
    assert box.ok("ps", "-aq") == ""


def test_missing_image_and_bad_reference(box):
    box.fails(125, "run", "--rm", "--pull", "never", "nosuch:tag", "true", saying="nosuch:tag")
    box.fails(125, "run", "--rm", "UPPER", "true", saying="UPPER")
    box.fails(125, "run", "--rm", "a b", "true", saying="a b")
    box.fails(1, "run", saying="requires at least 1 argument")


def test_the_same_as_docker(box, docker, busybox_tar):
    """Environment, limits, identity, devices and status as a container of Docker has them."""
    docker.ok("import", busybox_tar, "busybox")
    script = ("env | grep -v HOSTNAME= | sort; id; pwd; cat /proc/self/limits; umask; "
              "grep -E '^(Cap|Seccomp|NoNew|Groups|Sig(Blk|Cgt))' /proc/self/status; cat /proc/self/oom_score_adj; "
              "ls -l /dev | grep -v core | awk '{print $1,$5,$6,$10,$11,$12}' | grep -v '^total'; "
              "grep -v cgroup /proc/self/mounts | awk '{print $2,$3}' | grep -v ' overlay' | sort; "
              "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep -v $(hostname) /etc/hosts; cat /etc/resolv.conf")
    for flags in ([], ["-u", "alice", "-w", "/x", "--init"], ["--privileged"],
                  ["--read-only", "--cap-add", "SYS_ADMIN", "--tmpfs", "/tmp"]):
        ours = sh(box, script, "--network", "none", *flags).splitlines()
        theirs = docker("run", "--rm", "--network", "none", *flags, *SHELL, script)
        if theirs.code and "unable to apply caps" in theirs.err:
            continue  # this machine lacks one; kogge does without
        assert theirs.code == 0, str(theirs)
        theirs = theirs.out.splitlines()
        # What later versions of Docker mask besides.
        ours = [line for line in ours if "interrupts" not in line and "thermal" not in line and "powercap" not in line]
        if "--init" in flags:
            ours, theirs = ([line for line in x if "init" not in line] for x in (ours, theirs))
        if "--privileged" in flags:
            ours, theirs = ([line for line in x if "/dev" not in line and "crw" not in line and "brw" not in line
                             and not line.startswith("d")] for x in (ours, theirs))
        assert ours == theirs, f"with {flags}"
