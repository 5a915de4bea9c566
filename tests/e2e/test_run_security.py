# SPDX-License-Identifier: Apache-2.0
"""`kogge run` against containers that try to get out: the E cases of docs/SECURITY.md."""
import os
import pathlib
import re
import subprocess
import tarfile

import pytest

from harness import images, program

pytestmark = pytest.mark.needs_root

SHELL = ("busybox", "sh", "-c")
DEFAULT_CAPS = 0xA80425FB
X86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="calls by number, for x86-64")


def sh(kogge, script, *flags, **options):
    return kogge.ok("run", "--rm", *flags, *SHELL, script, **options).rstrip("\n")


@pytest.fixture
def make(kogge, scratch):
    """make({name: content}, links={name: target}, changes=[...]) imports an odd image as `odd`."""
    def made(files=None, links=None, changes=(), drop=()):
        base, odd = images.busybox(scratch / "base.tar", files), scratch / "odd.tar"
        with tarfile.open(base) as source, tarfile.open(odd, "w") as tar:
            for info in source:
                if info.name not in drop and info.name not in (links or {}):
                    tar.addfile(info, source.extractfile(info) if info.isreg() else None)
            for name, target in (links or {}).items():
                images.add_link(tar, name, target)
        flags = [word for change in changes for word in ("-c", change)]
        kogge.ok("import", *flags, odd, "odd")
        return kogge
    return made


def compiled(scratch, source, name="probe"):
    """A static program for probes that a shell cannot make."""
    (scratch / "probe.c").write_text(source)
    path = scratch / name
    made = subprocess.run(["cc", "-static", "-O1", "-o", path, scratch / "probe.c"], stderr=subprocess.PIPE, check=False)
    if made.returncode != 0:
        pytest.skip("no C compiler for static programs")
    return path.read_bytes()


# -- descriptors -----------------------------------------------------------------------------------

@pytest.mark.parametrize("suffix", ["", "/../../..", "/../../../etc"])
def test_E01_working_directory_through_a_descriptor(box, suffix):
    """CVE-2024-21626: a directory of the host that is still open must not become the cwd."""
    hosts = os.stat("/").st_ino, os.stat("/").st_dev
    for n in range(3, 40):
        result = box("run", "--rm", "-w", f"/proc/self/fd/{n}{suffix}", *SHELL,
                     "stat -c '%i %d' . && pwd -P && ls / | tr '\\n' ' '")
        if result.code == 0:
            assert tuple(map(int, result.out.split()[:2])) != hosts and "kogge" not in result.out, str(result)
        else:
            assert result.code in (125, 126, 127) and result.err
    assert box.ok("ps", "-aq") == ""


def test_E01_working_directory_of_the_image_and_through_a_link(make):
    for n in (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16):
        kogge = make(links={"cwd": f"/proc/self/fd/{n}"}, changes=[f"WORKDIR /proc/self/fd/{n}/.."]) if n == 3 else kogge
        for flags in ([], ["-w", "/cwd"], ["-w", "/cwd/../../.."], ["-w", f"/proc/self/fd/{n}"], ["-w", f"/proc/1/fd/{n}"]):
            result = kogge("run", "--rm", *flags, "odd", "sh", "-c", "pwd -P; ls -a")
            assert result.code != 0 or result.out.startswith("/"), str(result)
            assert "unreachable" not in result.out and "snapshots" not in result.out


def test_E02_no_descriptor_leaks_into_the_container(box):
    extra = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(50)]
    try:
        process = box.popen("run", "--rm", *SHELL, "ls -l /proc/self/fd /proc/1/fd", stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, pass_fds=extra)
        out = process.communicate(timeout=20)[0].decode()
    finally:
        for fd in extra:
            os.close(fd)
    targets = [line.split(" -> ")[1] for line in out.splitlines() if " -> " in line]
    assert process.returncode == 0 and targets
    assert all(re.match(r"/dev/null$|pipe:|/proc/\d+/fd$", target) for target in targets), out


def test_E02_no_descriptor_leaks_with_init_and_terminal(box):
    for flags in (["--init"], ["-t"], ["-i"], ["-t", "--init"]):
        out = sh(box, "for p in /proc/[0-9]*; do ls -l $p/fd; done", *flags)
        targets = [line.rstrip("\r").split(" -> ")[1] for line in out.splitlines() if " -> " in line]
        allowed = r"/dev/null$|pipe:|/proc/\d+/fd$|/dev/pts/0$|/dev/console$"
        assert targets and all(re.match(allowed, t) for t in targets), out


def test_E03_programs_of_the_host_cannot_be_overwritten(make, scratch):
    """CVE-2019-5736: /proc/self/exe as the entry point, and a writer that waits for it."""
    before = {p: p.read_bytes() for p in program.PROGRAMS.glob("kogge*") if p.is_file()}
    kogge = make({"bin/self": "#!/proc/self/exe\n"})
    kogge("run", "--rm", "odd", "/bin/self", timeout=20)
    kogge("run", "--rm", "odd", "/proc/self/exe", timeout=20)
    script = "exec 9</proc/self/exe; for p in /proc/[0-9]*; do (echo x >$p/exe) 2>&1; (echo x >/proc/self/fd/9) 2>&1; done; true"
    kogge("run", "--rm", "--init", "odd", "sh", "-c", script)
    kogge("run", "--rm", "--privileged", "--init", "odd", "sh", "-c", script)
    assert all(p.read_bytes() == data for p, data in before.items())


def test_E04_stage_is_not_dumpable(box):
    """What kogge's own code in the container holds is not for the container's other processes."""
    first = box.popen("run", "--rm", "-i", "--name", "watch", *SHELL,
                      "echo ready; read x; while :; do ls -l /proc/[0-9]*/fd 2>/dev/null; done", stdin=-1, stdout=-1)
    assert first.stdout.readline() == b"ready\n"
    first.stdin.write(b"go\n")
    first.stdin.flush()
    for _ in range(5):
        sh(box, "true", "--pid", "container:watch")
    box.ok("kill", "watch")
    seen = first.communicate(timeout=20)[0].decode(errors="replace")
    bad = [line for line in seen.splitlines() if " -> " in line
           and not re.search(r" -> (/dev/null|pipe:\[\d+\]|/proc/\d+/fd|/proc/[^ ]*)$", line)]
    assert not bad, bad[:5]


# -- links in the image ----------------------------------------------------------------------------

def test_E05_dev_null_of_the_image_is_not_what_masks(make, canary):
    kogge = make(links={"dev/null": "/proc/sys/kernel/core_pattern"})
    result = kogge("run", "--rm", "odd", "sh", "-c", "stat -c '%t:%T' /dev/null; cat /proc/keys | wc -c")
    assert result.code != 0 or result.out.split() == ["1:3", "0"]


@pytest.mark.parametrize("name", ["dev/console", "dev/ptmx", "dev/pts", "dev/shm", "dev/mqueue"])
def test_E06_links_in_the_images_dev(make, canary, name):
    kogge = make(links={name: str(canary / "file")}, drop=("dev",))
    kogge("run", "--rm", "-t", "odd", "sh", "-c", "echo overwritten >/dev/console; ls -l /dev")
    assert (canary / "file").read_text() == "canary\n"


def test_E10_dev_that_is_a_link(make, scratch, canary):
    (scratch / "outside").mkdir()
    (scratch / "outside" / "ptmx").write_text("mine")
    kogge = make(links={"dev": str(scratch / "outside")}, drop=("dev",))
    kogge("run", "--rm", "odd", "true")
    assert os.listdir(scratch / "outside") == ["ptmx"] and (scratch / "outside" / "ptmx").read_text() == "mine"


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("target", ["/tmp", "tmp", "/etc/../tmp", "/proc"])
def test_E11_proc_and_sys_that_are_links(make, name, target):
    kogge = make(links={name: target}, drop=(name,))
    result = kogge("run", "--rm", "odd", "cat", "/proc/self/mounts")
    assert result.code != 0 and name in result.err, str(result)
    assert kogge.ok("ps", "-aq") == ""


@pytest.mark.parametrize("dest", ["/proc", "/proc/self", "/proc/sys", "//proc/./self/attr", "/a/../proc", "/"])
def test_E12_nothing_is_mounted_over_proc(box, dest):
    box.fails(125, "run", "--rm", "--tmpfs", dest, "busybox", "true", saying=dest)
    assert box.ok("ps", "-aq") == ""


@pytest.mark.parametrize("name", ["etc/hosts", "etc/hostname", "etc/resolv.conf"])
@pytest.mark.parametrize("target", ["{canary}/file", "../../../../../../{canary}/file", "/etc/loop", "/proc/1/root/etc/x"])
def test_E08_files_of_the_image_that_are_links(make, canary, name, target):
    kogge = make(links={name: target.format(canary=canary), "etc/loop": "/etc/loop"})
    result = kogge("run", "--rm", "odd", "sh", "-c", f"echo overwritten >>/{name}; cat /{name}")
    assert (canary / "file").read_text() == "canary\n"
    assert "only for the host" not in result.out


def test_E15_passwd_and_group_that_are_links_or_huge(make, canary):
    kogge = make(links={"etc/passwd": str(canary / "secret"), "etc/group": "/dev/zero"})
    kogge.fails((125, 126), "run", "--rm", "-u", "alice", "odd", "id", saying="alice")
    assert kogge("run", "--rm", "-u", "5", "odd", "id", "-u").out in ("5\n", "")


def test_E15_passwd_that_is_a_fifo_does_not_hang(make):
    kogge = make(links={"etc/passwd": "/dev/stdin", "etc/group": "/proc/self/fd/0"})
    kogge("run", "--rm", "-u", "alice", "odd", "id", timeout=20)
    kogge("run", "--rm", "odd", "id", timeout=20)


# -- identity --------------------------------------------------------------------------------------

@pytest.mark.parametrize("user", ["4294967296", "4294967295", "-1", "+0", "0x0", " 0", "0 ", "00x", "1e3", "2147483648",
                                  "18446744073709551616", "1000:-1", "1000:4294967296", "00", "::", "0:0:0", "é", "\n",
                                  "9" * 5000, "a" * 5000])
def test_E20_users_that_must_not_become_root(box, user):
    result = box("run", "--rm", "-u", user, "busybox", "id")
    assert result.code in (125, 126) and result.err.strip(), str(result)
    assert result.out == "" and box.ok("ps", "-aq") == ""


@pytest.mark.parametrize("user", ["0", "root", "root:root", "0:0"])
def test_E20_what_is_root(box, user):
    assert sh(box, "id -u", "-u", user) == "0"


def test_E20_number_that_is_also_a_name(make):
    """A name of digits in passwd must not give its uid to whoever asks for the number."""
    kogge = make({"etc/passwd": "root:x:0:0::/root:/bin/sh\n99999999999:x:0:0::/:/bin/sh\n"})
    result = kogge("run", "--rm", "-u", "99999999999", "odd", "id", "-u")
    assert result.code != 0 or result.out != "0\n"


def golden(kogge, *flags):
    out = sh(kogge, "grep -E '^Cap' /proc/self/status", *flags)
    return {line.split(":")[0][3:]: int(line.split()[1], 16) for line in out.splitlines()}


def test_E21_capabilities(box):
    root = {"Inh": 0, "Prm": DEFAULT_CAPS, "Eff": DEFAULT_CAPS, "Bnd": DEFAULT_CAPS, "Amb": 0}
    assert golden(box) == root
    assert golden(box, "-u", "alice") == {**root, "Prm": 0, "Eff": 0}
    more = DEFAULT_CAPS | 1 << 12
    assert golden(box, "--cap-add", "NET_ADMIN") == {"Inh": 0, "Prm": more, "Eff": more, "Bnd": more, "Amb": 0}
    assert golden(box, "--cap-add", "NET_ADMIN", "-u", "1000") == {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": more, "Amb": 0}
    assert golden(box, "--cap-drop", "ALL") == dict.fromkeys(root, 0)
    assert golden(box, "--init") == root
    privileged = golden(box, "--privileged")
    assert privileged["Inh"] == privileged["Amb"] == 0


def test_E22_groups_hold_the_primary_one(box):
    assert sh(box, "id -G", "-u", "1000:1000").split() == ["1000"]
    assert sh(box, "id -G", "-u", "alice").split() == ["1000", "50"]
    assert sh(box, "grep Groups /proc/self/status", "-u", "1234:99").split()[1:] == ["99"]
    script = "touch /tmp/f; chgrp 50 /tmp/f; chmod 0604 /tmp/f; exec setpriv --reuid 1 cat /tmp/f"
    assert "denied" in box("run", "--rm", "-u", "0:50", "--cap-drop", "DAC_OVERRIDE", *SHELL, script).err.lower() \
        or "setpriv" in box("run", "--rm", *SHELL, "setpriv 2>&1; true").out


def test_E23_no_new_privileges(box, scratch):
    probe = compiled(scratch, "#include <stdio.h>\n#include <unistd.h>\nint main(void){printf(\"%d\\n\",(int)geteuid());}")
    plain = images.busybox(scratch / "plain.tar", {"bin/whoami-really": probe})
    with tarfile.open(plain) as source, tarfile.open(scratch / "suid.tar", "w") as tar:
        for info in source:
            info.mode |= 0o4000 if info.name == "bin/whoami-really" else 0
            tar.addfile(info, source.extractfile(info) if info.isreg() else None)
    box.ok("import", scratch / "suid.tar", "suid2")
    assert box.ok("run", "--rm", "-u", "alice", "suid2", "whoami-really") == "0\n"
    assert box.ok("run", "--rm", "-u", "alice", "--security-opt", "no-new-privileges", "suid2", "whoami-really") == "1000\n"


# -- devices, proc, sys ----------------------------------------------------------------------------

def test_E24_only_harmless_devices_open(box):
    allowed = {"c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:2"}
    majors = [(line.split()[0], "c") for line in pathlib.Path("/proc/devices").read_text().split("Block")[0].splitlines()[1:] if line.strip()]
    majors += [(line.split()[0], "b") for line in pathlib.Path("/proc/devices").read_text().split("Block")[1].splitlines()[1:] if line.strip()]
    tries = {f"{kind} {major}:{minor}" for major, kind in majors for minor in (*range(12), 200, 229, 232, 237)}
    script = "while read t n; do rm -f /d; mknod /d $t ${n%:*} ${n#*:} || echo nomknod $t $n; " \
             "(: </d) 2>/dev/null && echo $t $n; (: 0<>/d) 2>/dev/null && echo $t $n; done; true"
    text = "".join(f"{t}\n" for t in sorted(tries) if not t.startswith("c 4:") and not t.startswith("c 5:1"))
    opened = set(box.ok("run", "--rm", "-i", *SHELL, script, input=text).splitlines())
    assert not {line for line in opened if "nomknod" in line}
    assert {line for line in opened if not line.startswith("c 136:")} <= allowed, opened


def test_E24_fuse_is_denied_and_no_flag_loosens_the_rest(box):
    script = "mknod /f c 10 229; (: </f) 2>&1; mknod /m c 1 1; (: </m) 2>&1; true"
    for flags in ([], ["--cap-add", "SYS_ADMIN"], ["--device", "/dev/null:/dev/x"], ["--device-cgroup-rule", "c 1:3 r"]):
        assert sh(box, script, *flags).count("not permitted") == 2, flags


MASKED = ["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
          "/sys/firmware"]


def test_E25_masked_paths_are_empty_and_stay(box):
    script = "for p in " + " ".join(MASKED) + "; do [ -e $p ] || continue; " \
             "if [ -d $p ]; then ls -A $p; else cat $p; fi; umount $p 2>/dev/null && echo umounted; " \
             "(rm -rf $p || echo x >$p/x) 2>/dev/null && [ ! -e $p ] && echo removed; done; true"
    assert sh(box, script) == ""
    assert sh(box, script.replace("[ ! -e $p ] && echo removed", "true"), "--cap-add", "DAC_READ_SEARCH") == ""


def test_E25_read_only_paths(box):
    script = "for p in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger /sys; do " \
             "grep -q \" $p [a-z]* ro\" /proc/self/mounts || [ ! -e $p ] || echo $p; done; " \
             "echo h >/proc/sysrq-trigger; echo x >/proc/sys/kernel/core_pattern; mount -o remount,rw /proc/sys; true"
    result = box("run", "--rm", *SHELL, script)
    assert result.out == "" and "ead-only" in result.err
    again = box("run", "--rm", "--cap-add", "SYS_ADMIN", *SHELL, "sort /proc/self/mounts | uniq -d")
    assert again.out == ""


def test_E25_files_below_proc_and_sys_that_open_for_writing(box, docker, busybox_tar):
    """At most those that Docker's containers can open; most of them refuse every write."""
    docker.ok("import", busybox_tar, "busybox")
    script = "find /proc /sys -xdev -type f ! -path '/proc/[0-9]*' ! -path '/proc/self/*' ! -path '/proc/thread-self/*' " \
             "2>/dev/null | while read f; do (: >>$f) 2>/dev/null && echo $f; done; true"
    flags = ("run", "--rm", "--network", "none", *SHELL, script)
    ours, theirs = set(box.ok(*flags).splitlines()), set(docker.ok(*flags).splitlines())
    assert ours <= theirs, ours - theirs


@pytest.mark.parametrize("sysctl", ["kernel.core_pattern=|/x", "kernel.shm_rmid_forced=1+kernel.core_pattern=|x",
                                    "kernel.shm_rmid_forced+kernel.core_pattern=|x", "net/../kernel/core_pattern=x",
                                    "net.ipv4.ip_forward/../../../kernel/hostname=x", "vm.overcommit_memory=1", "=1", "net=1",
                                    "kernel.modprobe=/x", "fs.mqueue/../file-max=1", "../kernel/core_pattern=x"])
def test_E26_only_sysctls_of_namespaces(box, sysctl):
    box.fails(125, "run", "--rm", "--network", "none", "--sysctl", sysctl, "busybox", "true")
    assert box.ok("ps", "-aq") == ""


@pytest.mark.parametrize("flags", [["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"],
                                   ["--ipc", "host", "--sysctl", "kernel.shm_rmid_forced=1"],
                                   ["--uts", "host", "--sysctl", "kernel.domainname=x"]])
def test_E26_no_sysctls_of_the_hosts_namespaces(box, flags):
    box.fails(125, "run", "--rm", *flags, "busybox", "true", saying="sysctl")


def test_E27_cgroups(box):
    script = "mkdir /tmp/c; for t in cgroup cgroup2; do mount -t $t none /tmp/c 2>/dev/null && echo mounted; done; " \
             "find /sys/fs/cgroup -name release_agent | while read f; do (echo /x >$f) 2>/dev/null && echo $f; done; " \
             "find /sys/fs/cgroup -name cgroup.procs | while read f; do (echo 1 >$f) 2>/dev/null && echo $f; done; " \
             "find /sys/fs/cgroup -name devices.allow | while read f; do (echo a >$f) 2>/dev/null && echo $f; done; " \
             "mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x 2>/dev/null && echo made; true"
    assert sh(box, script) == ""
    remount = "mount -o remount,rw /sys/fs/cgroup 2>/dev/null && echo remounted; unshare -C true 2>/dev/null && echo unshared; true"
    assert sh(box, remount) == ""


def test_E27_the_container_is_in_its_cgroup_only(box):
    id_and_groups = box.ok("run", "--rm", *SHELL, "hostname; cat /proc/self/cgroup").splitlines()
    paths = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in id_and_groups[1:]}
    assert paths.get("devices", paths.get("")).startswith(f"/kogge/{id_and_groups[0]}") or paths[""] == "/"


def test_E27_cgroup_files_show_the_containers_own(box):
    if not os.path.isdir("/sys/fs/cgroup/devices"):
        pytest.skip("cgroup v1 only")
    assert "a *:* rwm" not in sh(box, "cat /sys/fs/cgroup/devices/devices.list")
    assert sh(box, "ls -d /sys/fs/cgroup/*/kogge 2>/dev/null | wc -l") == "0"


# -- system calls ----------------------------------------------------------------------------------

PROBE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static void try(const char *name, long r) { printf("%s=%d\n", name, r < 0 ? errno : 0); fflush(stdout); }
int main(void)
{
	char args[128] = {0};
	try("clone3", syscall(435, args, 8));
	try("unknown", syscall(600, 0, 0, 0));
	try("unshare_user", unshare(CLONE_NEWUSER));
	try("unshare_net", unshare(CLONE_NEWNET));
	try("clone_user", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0) );
	try("mount", syscall(SYS_mount, "a", "/tmp", "tmpfs", 0, 0));
	try("keyctl", syscall(SYS_keyctl, 0, -3, 0));
	try("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
	try("bpf", syscall(SYS_bpf, 0, args, sizeof(args)));
	try("perf", syscall(SYS_perf_event_open, args, 0, -1, -1, 0));
	try("userfaultfd", syscall(SYS_userfaultfd, 0));
	try("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
	try("init_module", syscall(SYS_init_module, args, 0, ""));
	try("open_by_handle", syscall(SYS_open_by_handle_at, -1, args, 0));
	try("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
	try("setns", syscall(SYS_setns, -1, 0));
	try("pivot_root", syscall(SYS_pivot_root, "/", "/"));
	try("ptrace", syscall(SYS_ptrace, 0xffff, 0, 0, 0));
	try("personality_odd", syscall(SYS_personality, 0x0400000));
	try("af_alg", socket(38, SOCK_SEQPACKET, 0));
	try("af_vsock", socket(40, SOCK_STREAM, 0));
	try("af_inet", socket(AF_INET, SOCK_STREAM, 0));
	try("io_uring", syscall(425, 1, args));
	try("tiocsti", ioctl(0, TIOCSTI, "x"));
	return 0;
}
"""


@pytest.fixture
def probed(box, scratch):
    binary = compiled(scratch, PROBE)
    box.ok("import", images.busybox(scratch / "p.tar", {"bin/probe": binary}), "probe")

    def probe(*flags):
        out = box.ok("run", "--rm", *flags, "probe", "probe")
        return {line.split("=")[0]: int(line.split("=")[1]) for line in out.split()}
    return probe


EPERM, ENOSYS = 1, 38


@X86
def test_E28_E30_system_calls_of_the_default_profile(probed):
    r = probed()
    assert r["clone3"] == ENOSYS and r["unknown"] == ENOSYS
    for name in ("unshare_user", "unshare_net", "clone_user", "mount", "keyctl", "add_key", "bpf", "perf", "userfaultfd",
                 "kexec", "init_module", "open_by_handle", "reboot", "setns", "pivot_root", "personality_odd"):
        assert r[name] == EPERM, f"{name}: {r[name]}"
    assert r["af_inet"] == 0


@X86
def test_E29_socket_families(probed):
    r = probed()
    assert r["af_vsock"] == EPERM and r["af_alg"] != 0, r


# Calls that Docker's profile allows since 20.10, by their numbers on x86-64.
SINCE_DOCKER_20 = {303, 310, 311, 329, 330, 331, 451, 452, 454, 455, 456, 457, 458, 463, 464, 465, 466}


@X86
def test_E28_the_same_calls_as_docker(box, docker, scratch):
    """Every call by number, with arguments that no call accepts: denied here where Docker denies."""
    source = r"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <stdio.h>
    #include <sys/syscall.h>
    #include <sys/wait.h>
    #include <unistd.h>
    int main(void)
    {
        for (int n = 0; n < 470; n++) {
            int status;
            switch (n) {
            case SYS_exit: case SYS_exit_group: case SYS_vhangup: case SYS_pause: case SYS_rt_sigreturn: case SYS_fork:
            case SYS_vfork: case SYS_clone: case SYS_rt_sigsuspend: case SYS_rt_sigtimedwait: case SYS_select: case SYS_kill:
            case SYS_pselect6: case SYS_ppoll: case SYS_poll: case SYS_wait4: case SYS_waitid: case SYS_read: case SYS_setsid:
            case SYS_reboot: case SYS_futex: case SYS_epoll_wait: case SYS_alarm: case SYS_close_range: case SYS_tkill: case 449:
            case SYS_msgrcv: case SYS_close: case SYS_dup2: case SYS_dup3: case SYS_sync: case SYS_syslog: case 462: continue;
            }
            if (fork() == 0) { alarm(5); long r = syscall(n, -1L, -1L, -1L, -1L, -1L, -1L); _exit(r < 0 ? errno : 0); }
            wait(&status);
            printf("%d %s\n", n, !WIFEXITED(status) ? "died" : WEXITSTATUS(status) == 1 ? "EPERM" :
                   WEXITSTATUS(status) == 38 ? "ENOSYS" : "ok");
        }
    }"""
    tar = images.busybox(scratch / "calls.tar", {"bin/calls": compiled(scratch, source)})
    box.ok("import", tar, "calls")
    docker.ok("import", tar, "calls")
    ours = box.ok("run", "--rm", "--network", "none", "calls", "calls").splitlines()
    theirs = docker.ok("run", "--rm", "--network", "none", "calls", "calls").splitlines()
    looser = {int(a.split()[0]) for a, b in zip(ours, theirs) if a != b and a.endswith("ok")}
    assert len(ours) == len(theirs) > 400 and looser <= SINCE_DOCKER_20, str(sorted(looser - SINCE_DOCKER_20))
    tighter = {int(a.split()[0]) for a, b in zip(ours, theirs) if a != b and b.endswith("ok")}
    assert tighter <= {425, 426, 427}, sorted(tighter)  # io_uring: Docker denies it, too, by now


def test_E31_keys_of_the_host_are_not_seen(box):
    assert sh(box, "cat /proc/keys") == ""


def test_E31_the_container_has_a_session_keyring_of_its_own(box, scratch):
    source = r"""
    #include <stdio.h>
    #include <unistd.h>
    #include <sys/syscall.h>
    int main(void) { printf("%ld\n", syscall(SYS_keyctl, 0, -3, 0)); }"""
    probe = compiled(scratch, source)
    (scratch / "host").write_bytes(probe)
    (scratch / "host").chmod(0o755)
    host = subprocess.run([scratch / "host"], stdout=subprocess.PIPE, text=True, check=True).stdout
    box.ok("import", images.busybox(scratch / "k.tar", {"bin/keys": probe}), "keys")
    inside = box.ok("run", "--rm", "--security-opt", "seccomp=unconfined", "keys", "keys")
    if host.strip() == "-1":
        pytest.skip("the kernel has no keyrings")
    assert inside.strip() != host.strip() and int(inside) > 0


def test_E32_terminal_of_the_caller_is_out_of_reach(box):
    """The container's terminal is one of its own; its session has no other."""
    assert sh(box, "tty; cat /proc/self/stat | cut -d' ' -f7", "-t").split()[0] == "/dev/pts/0"
    assert sh(box, "(: </dev/tty) 2>&1; true").endswith(("No such device or address", "can't open /dev/tty: No such device or address"))


def test_E33_no_abstract_socket_of_ours(box):
    process = box.popen("run", "--rm", "-i", "--name", "holder", "busybox", "cat", stdin=subprocess.PIPE)
    try:
        names = [line.split()[7] for line in sh(box, "cat /proc/net/unix", "--network", "host").splitlines()
                 if len(line.split()) > 7]
        assert not [n for n in names if n.startswith("@") and "kogge" in n]
        controls = list(box.run_root.glob("containers/*/control"))
        assert controls and all(c.stat().st_mode & 0o077 == 0 for c in controls)
    finally:
        process.communicate(b"", timeout=20)


def test_E34_store_and_run_directory_are_closed_to_others(box):
    box.ok("create", "--name", "there", "busybox", "true")
    for top in (box.root, box.run_root):
        assert top.stat().st_mode & 0o007 in (0, 1), top
    look = f"ls {box.root} {box.root}/snapshots {box.run_root}/containers; cat {box.root}/kogge.db"
    result = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", look],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert result.stdout == b"", result.stdout
    box.ok("rm", "there")


def test_E36_mounts_stay_inside(box):
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    process = box.popen("run", "--rm", "-i", "--tmpfs", "/t", *SHELL, "echo ready; cat", stdin=-1, stdout=-1)
    assert process.stdout.readline() == b"ready\n"
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before, "while it runs"
    process.communicate(b"", timeout=20)
    sh(box, "mount -t tmpfs x /tmp && mount --bind /tmp /home; true", "--cap-add", "SYS_ADMIN",
       "--security-opt", "seccomp=unconfined")
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before


def test_E36_propagation_does_not_reach_the_host(box):
    out = sh(box, "cat /proc/self/mountinfo")
    assert "shared:" not in out and "master:" not in out


def test_E18_labels_and_environment_of_the_image_are_no_control(make):
    """Data of the image must not steer kogge's own programs."""
    kogge = make(changes=["ENV LD_PRELOAD=/evil.so KOGGE_TRACE=timing KOGGE_FAILPOINTS=engine.start.prepared=kill",
                          "LABEL kogge.log=binary:///bin/sh"])
    result = kogge("run", "--rm", "odd", "env")
    assert result.code == 0 and "LD_PRELOAD=/evil.so" in result.out and result.err == ""
