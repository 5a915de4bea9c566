# SPDX-License-Identifier: Apache-2.0
"""Attacks on what the kernel shows a container of kogge-runtime: devices, /proc and /sys, cgroups,
system calls, user namespaces. Each in every way to start a container (harness/targets.py)."""
import os
import pathlib
import re

import pytest

pytestmark = pytest.mark.needs_root

HARMLESS = {"c1:3", "c1:5", "c1:7", "c1:8", "c1:9", "c5:0", "c5:2"}


# ---- E24 ---------------------------------------------------------------------------------------


def test_E24_only_harmless_devices_open(target):
    target.allow("CAP_MKNOD")
    result = target.run("/bin/attack", "devices")
    found = set(result.out.split())
    if target.userns:
        assert result.out.startswith("no mknod"), str(result)
    else:
        # 5:0 has no terminal here
        assert found <= HARMLESS and "c1:3" in found, found - HARMLESS


def test_E24_nodes_of_the_image_do_not_open(target):
    if target.rootless:
        pytest.skip("an ordinary user's image has no nodes")
    disk = os.stat("/").st_dev
    os.mknod(target.rootfs / "disk", 0o60666, disk)
    os.mknod(target.rootfs / "mem", 0o20666, os.makedev(1, 1))
    os.mknod(target.rootfs / "kmsg", 0o20666, os.makedev(1, 11))
    target.write()
    for name in ("disk", "mem", "kmsg"):
        (target.rootfs / name).chmod(0o666)
    result = target.sh("for n in disk mem kmsg; do head -c 1 /$n > /dev/null && echo read $n; done; true")
    assert "read" not in result.out, str(result)


# ---- E25 ---------------------------------------------------------------------------------------

# What an ordinary container of runc may open for writing there, too.
WRITABLE = re.compile(r"/proc/(self|thread-self)/|/proc/pressure/|/proc/net/|/proc/tty/|/proc/driver/|/proc/mtrr$|/proc/scsi/")


def test_E25_masked_paths_are_empty_and_stay(target):
    script = """for f in /proc/kcore /proc/keys /proc/timer_list /proc/latency_stats /proc/sched_debug; do
        [ ! -e $f ] || { head -c 1 $f; echo x > $f; }; done 2>/dev/null
        ls /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v :
        umount /proc/keys 2>/dev/null && echo unmounted; rm -f /proc/keys 2>/dev/null && echo removed
        mount -o remount,rw /proc/sys 2>/dev/null && echo remounted
        mv /proc/keys /tmp 2>/dev/null && echo moved; true"""
    assert target.ok(script).split() == []


def test_E25_nothing_of_the_host_opens_for_writing(target):
    result = target.run("/bin/attack", "crawl")
    found = [path for path in result.out.split("\n") if path and not WRITABLE.match(path)]
    if target.rootless:  # /sys is the host's: files that everybody may write are the host's choice
        found = [p for p in found if not p.startswith("/sys/") or os.stat(p).st_mode & 0o002 == 0]
    assert result.code == 0 and found == [], str(found)


def test_E25_twice_masked_is_masked_once(target):
    target.config["linux"]["maskedPaths"] += ["/proc/keys", "/proc/keys", "/proc//keys"]
    target.config["linux"]["readonlyPaths"] += ["/proc/sys", "/proc/sys"]
    assert target.ok("cat /proc/keys; echo x 2>/dev/null > /proc/sys/kernel/hostname || echo refused") == "refused\n"


# ---- E26, E27 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name, value", [
    ("kernel.core_pattern", "|/x"), ("kernel.shm_rmid_forced=1+kernel.core_pattern", "|/x"), ("kernel/core_pattern", "|/x"),
    ("kernel.domainname/../core_pattern", "|/x"), ("net/../kernel/core_pattern", "|/x"), ("net.../kernel.core_pattern", "x"),
    ("vm.overcommit_memory", "1"), ("fs.file-max", "1"), ("kernel.sysrq", "1"), ("dev.tty.ldisc_autoload", "1"), ("", "1")])
def test_E26_sysctls_of_the_host_are_refused(target, name, value):
    target.config["linux"]["sysctl"] = {name: value}
    result = target.sh("echo started")
    assert result.code != 0 and "started" not in result.out, str(result)
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() != value


@pytest.mark.parametrize("value", ["a\nkernel.core_pattern=|/x", "1+kernel.core_pattern=|/x", "x" * 5000])
def test_E26_a_value_is_a_value(target, value):
    target.config["linux"]["sysctl"] = {"kernel.domainname": value}
    before = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    result = target.sh("cat /proc/sys/kernel/domainname")
    assert result.code != 0 or result.out.strip() in (value[:64], value.split("\n")[0][:64]), str(result)
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == before


@pytest.mark.parametrize("missing", ["ipc", "network"])
def test_E26_no_sysctls_without_the_namespace(target, missing):
    name = {"ipc": "kernel.msgmax", "network": "net.ipv4.ip_forward"}[missing]
    namespaces = target.config["linux"]["namespaces"]
    target.config["linux"]["namespaces"] = [n for n in namespaces if n["type"] != missing]
    target.config["linux"]["sysctl"] = {name: "1"}
    target.config["mounts"] = [m for m in target.config["mounts"] if m["type"] != "mqueue"]
    before = pathlib.Path("/proc/sys", name.replace(".", "/")).read_text()
    result = target.sh("echo started")
    assert result.code != 0 and "started" not in result.out, str(result)
    assert pathlib.Path("/proc/sys", name.replace(".", "/")).read_text() == before


def test_E27_cgroups_are_neither_written_nor_left(target):
    out = target.sh("""cd /sys/fs/cgroup && for f in release_agent notify_on_release cgroup.procs tasks; do
        find . -name $f 2>/dev/null | while read p; do (echo 0 > $p) 2>/dev/null && echo wrote $p; done; done
        find . -type d 2>/dev/null | while read p; do mkdir $p/x 2>/dev/null && echo made $p/x; done
        [ ! -e /sys/fs/cgroup/../../../../release_agent ] || echo climbed; true""").out
    assert out == "", out


def test_E27_no_file_system_is_mounted_by_default(target):
    out = target.run("/bin/attack", "mounts").out
    assert out == "", out


def test_E27_the_container_sees_its_own_cgroup_as_the_root(target):
    lines = target.ok("cat /proc/self/cgroup").split("\n")[:-1]
    if not target.rootless:
        with_own = [line for line in lines if line.split(":")[2] == "/"]
        assert with_own, lines
    # Nothing leads up
    assert not any("/.." in line and "kogge" in line for line in lines), lines


# ---- E28 to E30 --------------------------------------------------------------------------------

MKDIR = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
         "syscalls": [{"names": ["mkdir", "mkdirat", "umount2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                      {"names": ["unshare", "setns"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
                      {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}


def test_E28_a_filter_holds_by_every_way_into_the_kernel(target):
    target.config["linux"]["seccomp"] = MKDIR
    native = target.run("/bin/attack", "calls", "83", "258", "166").out  # mkdir, mkdirat, umount2
    assert all(line.endswith("ENOSYS") for line in native.splitlines()) and len(native.splitlines()) == 6, native
    old = target.run("/bin/attack", "int80")
    assert "made" not in old.out and not (target.rootfs / "made-by-i386").exists(), str(old)


def test_E28_an_architecture_that_is_not_named_is_killed_or_refused(target):
    target.config["linux"]["seccomp"] = dict(MKDIR, architectures=["SCMP_ARCH_X86_64"])
    old = target.run("/bin/attack", "int80")
    assert "made" not in old.out and not (target.rootfs / "made-by-i386").exists(), str(old)
    x32 = target.run("/bin/attack", "calls", "83")
    assert "x32:83 done" not in x32.out, str(x32)


def test_E30_denied_calls_give_the_errno_that_was_asked_for(target):
    target.config["linux"]["seccomp"] = MKDIR
    out = target.run("/bin/attack", "calls", "435", "272").out  # clone3, unshare
    assert "435 ENOSYS" in out and "272 EPERM" in out, out


def test_E30_no_new_namespaces_without_the_right(target):
    if target.userns:
        out = target.run("/bin/attack", "namespaces").out
        assert set(out.split()) <= {"user"}, out
    else:
        assert set(target.run("/bin/attack", "namespaces").out.split()) <= {"user"}


# ---- E38 ---------------------------------------------------------------------------------------


def test_E38_root_inside_is_nobody_outside(target):
    target.bind(target.folder, "/bundle")
    result = target.sh("id -u; touch /made; cat /proc/self/uid_map; echo x > /bundle/made 2>/dev/null && echo wrote; true")
    assert result.out.split()[0] == "0", str(result)
    assert (target.rootfs / "made").stat().st_uid == target.outer_root
    if target.userns and not target.rootless:
        assert "wrote" not in result.out and not (target.folder / "made").exists()
        assert result.out.split()[1:4] == ["0", "100000", "65536"]


def test_E38_files_of_the_hosts_root_are_nobodys(target, canary):
    if not target.userns:
        pytest.skip("needs a user namespace")
    target.bind(canary, "/canary")
    result = target.sh("stat -c %u /canary/file; cat /canary/secret; chmod 777 /canary/file; chown 0 /canary/file; true")
    assert result.out == "65534\n", str(result)


def test_E38_setgroups_is_denied_to_an_ordinary_user(target):
    if not target.rootless:
        pytest.skip("root may map groups")
    assert target.ok("cat /proc/self/setgroups") == "deny\n"


@pytest.mark.parametrize("ids", [
    [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 5, "hostID": 200000, "size": 10}],
    [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 100, "hostID": 100005, "size": 10}],
    [{"containerID": 0, "hostID": 4294967290, "size": 100}], [{"containerID": 0, "hostID": 0, "size": 0}], []])
def test_E38_maps_that_overlap_or_overflow_are_refused(target, ids):
    target.config["linux"].update(uidMappings=ids, gidMappings=ids)
    if not target.userns:
        target.config["linux"]["namespaces"].append({"type": "user"})
    result = target.sh("echo started")
    assert result.code != 0 and "started" not in result.out, str(result)


def test_E38_an_ordinary_user_maps_nobody_else(target):
    if not target.rootless:
        pytest.skip("root may")
    for outside in (0, 1, 100000):
        ids = [{"containerID": 0, "hostID": outside, "size": 1}]
        target.config["linux"].update(uidMappings=ids)
        result = target.sh("echo started")
        assert result.code != 0 and "started" not in result.out, str(result)


# ---- E39 ---------------------------------------------------------------------------------------


def test_E39_the_usual_probes_find_nothing(target, canary):
    """What amicontained and deepce look for."""
    (target.rootfs / "host-canary").unlink(missing_ok=True)
    out = target.sh("""
        for s in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock /run/kogge /var/lib/kogge; do
            [ ! -e $s ] || echo socket $s; done
        for d in /dev/sda /dev/vda /dev/mem /dev/kmsg /dev/fuse /dev/kvm /dev/net/tun; do [ ! -e $d ] || echo device $d; done
        [ "$(ls -d /proc/[0-9]* | wc -l)" -lt 10 ] || echo processes of the host
        grep -q 'kthreadd' /proc/*/comm 2>/dev/null && echo kernel threads
        (echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo core_pattern
        (echo x > /proc/sysrq-trigger) 2>/dev/null && echo sysrq
        (echo x > /sys/kernel/uevent_helper) 2>/dev/null && echo uevent_helper
        find /sys/fs/cgroup -name release_agent -writable 2>/dev/null | grep . && echo release_agent
        chroot /proc/1/root ls /work /boot 2>/dev/null
        true""").out
    assert out == "", out
    assert target.run("/bin/attack", "escape").out == ""
    assert target.run("/bin/attack", "handles").out == ""
    target.allow("CAP_SYS_CHROOT")
    assert target.run("/bin/attack", "escape").out == ""


def test_E39_nothing_is_over_or_under_the_root(target):
    """The host's tree is neither under the root nor stacked over it."""
    for script in ("ls -di / /.. /../..", "cd /; cd ../../..; ls -di . .."):
        inodes = {line.split()[0] for line in target.ok(script).splitlines()}
        assert len(inodes) == 1, inodes
    table = [line.split() for line in target.ok("cat /proc/self/mountinfo").splitlines()]
    assert [line[4] for line in table].count("/") == 1, table
    assert not any(str(target.folder) in line[4] for line in table)
