# SPDX-License-Identifier: Apache-2.0
"""Attacks on the processes that kogge-runtime starts, and on the rights that they end up with. Each
in every way to start a container (harness/targets.py)."""
import os
import pathlib
import pty
import re
import select
import struct
import subprocess

import pytest

from harness import program
from harness.bundle import wait_gone

pytestmark = pytest.mark.needs_root

EXECS = 12


def status(text, field):
    """A field of /proc/PID/status in TEXT."""
    return next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith(field + ":"))


# ---- E02 ---------------------------------------------------------------------------------------


def test_E02_no_descriptor_reaches_the_container(target):
    extra = [os.open("/", os.O_RDONLY) for _ in range(50)]
    high = os.dup2(extra[0], 900)
    for fd in [*extra, high]:
        os.set_inheritable(fd, True)
    try:
        assert target.create("/bin/sh", "-c", "ls -l /proc/self/fd", close_fds=False) == 0, target.out
        pid = int((target.folder / "pid").read_text())
        for fd in os.listdir(f"/proc/{pid}/fd"):
            to = os.readlink(f"/proc/{pid}/fd/{fd}")
            assert to.startswith(("socket:", "pipe:", "anon_inode:")) or to in ("/dev/null", str(target.folder / "out")), \
                (fd, to)
        assert target.runtime("start", target.id).code == 0
        wait_gone(pid)
        seen = re.findall(r"\d\d:\d\d (\d+)(?: ->|$)", target.out, re.M)
        assert seen == ["0", "1", "2", "3"], target.out  # 3 is the folder that ls reads
        target.delete()
        target.start("/bin/sleep", "100")
        result = target.exec("/bin/ls", "/proc/self/fd", close_fds=False)
        assert result.out.split() == ["0", "1", "2", "3"], str(result)
    finally:
        for fd in [*extra, high]:
            os.close(fd)


# ---- E03, E04 ----------------------------------------------------------------------------------


def joined(target, name):
    """Runs many execs beside a container that attacks whoever joins it; what it got."""
    if target.userns:  # of the host's user namespace it is the right to trace whatever is to be seen
        target.allow("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
    target.start("/bin/attack", name)
    try:
        for i in range(EXECS if target.mode in ("root", "old") else EXECS // 2):
            result = target.exec("/bin/sh", "-c", "echo joined")
            assert result.out == "joined\n" or name == "trace", str(result)
    finally:
        (target.rootfs / "stop").touch()
        wait_gone(int((target.folder / "pid").read_text()))
    lines = target.out.splitlines()
    assert lines[0] == "ready" and lines[-1].startswith("saw"), target.out
    return lines[1:-1]


def test_E03_the_runtime_is_not_written_through_proc(target):
    wrote = joined(target, "exe")
    # What it may write is what is in its own root; ours is compared by the harness.
    assert wrote == [], wrote


def test_E03_a_program_that_is_the_runtime_itself(target):
    """#!/proc/self/exe would run what started the container."""
    (target.rootfs / "entry").write_text("#!/proc/self/exe\n")
    (target.rootfs / "entry").chmod(0o755)
    for args in (["/entry"], ["/proc/self/exe"]):
        result = target.run(*args)
        assert result.code != 0, str(result)
    target.start("/bin/sleep", "100")
    for args in (["/entry"], ["/proc/self/exe"]):
        result = target.exec(*args)
        assert result.code != 0, str(result)


def test_E04_who_joins_cannot_be_traced_or_read(target):
    assert joined(target, "trace") == []


def test_E04_the_waiting_process_is_not_dumpable(target):
    assert target.create("/bin/true") == 0, target.out
    pid = int((target.folder / "pid").read_text())
    # An undumpable process belongs to root, of its user namespace at most.
    assert os.stat(f"/proc/{pid}/fd").st_uid in (0, target.outer_root)
    if not target.rootless:  # whose namespace is the user's own
        seen = subprocess.run(["setpriv", "--reuid", str(target.outer_root or 1), "--clear-groups", "readlink",
                               f"/proc/{pid}/exe"], capture_output=True, check=False)
        assert seen.returncode != 0


# ---- E17 ---------------------------------------------------------------------------------------


def test_E17_hooks_do_not_get_the_containers_environment(target):
    hook, out = target.folder / "hook.sh", target.folder / "hook.out"
    hook.write_text(f'#!/bin/sh\n(echo point=$1; /usr/bin/env; echo pwd=$(pwd)) >> {out}\n')
    hook.chmod(0o755)
    out.write_text("")
    out.chmod(0o666)
    (target.rootfs / "evil.so").write_text("not a library")
    points = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    target.config["hooks"] = {p: [{"path": str(hook), "args": ["hook", p]}] for p in points}
    target.process["env"] += ["LD_PRELOAD=/evil.so", "BASH_ENV=/evil", "PATH=/evil"]
    target.process["cwd"] = "/tmp"
    result = target.run("/bin/busybox", "true")
    assert result.code == 0, str(result)
    text = out.read_text()
    assert [line[6:] for line in text.splitlines() if line.startswith("point=")] == points, text
    assert "evil" not in text
    assert {line[4:] for line in text.splitlines() if line.startswith("pwd=")} <= {"/", str(target.folder)}, text


# ---- E20 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("uid", [4294967295, 4294967296, 18446744073709551616, -1, "0", "1000", 1.5, 1e3, True, [0],
                                 {"uid": 0}])
@pytest.mark.parametrize("field", ["uid", "gid"])
def test_E20_numbers_that_are_no_user_are_refused(bundle, field, uid):
    bundle.process["user"] = {"uid": 1000, "gid": 1000, field: uid}
    result = bundle.sh("id")
    assert result.code != 0 and "uid=" not in result.out, str(result)


@pytest.mark.parametrize("text", ["-1", "+0", "0x0", " 0", "4294967296", "4294967295", "00x", "1e3", "root", "", ":",
                                  "1000:", "1" * 5000])
def test_E20_users_of_exec_that_are_none_are_refused(bundle, text):
    assert bundle.create("/bin/sleep", "100") == 0 and bundle.runtime("start", bundle.id).code == 0
    result = bundle.runtime("exec", "--user", text, bundle.id, "/bin/id")
    assert result.code != 0 and "uid=0" not in result.out, str(result)


def test_E20_exec_as_a_user_is_that_user(target):
    if target.rootless:
        pytest.skip("an ordinary user has one ID in the container")
    target.start("/bin/sleep", "100")
    result = target.exec("/bin/id", options=["--user", "1"])
    assert result.code == 0 and re.match(r"uid=1\S* gid=0", result.out), str(result)


# ---- E21 ---------------------------------------------------------------------------------------

CAPS = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
DEFAULT = "0000000020000420"  # runc's: KILL, NET_BIND_SERVICE, AUDIT_WRITE
FILTER = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}]}


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("new_privileges", [False, True])
def test_E21_capabilities_are_what_was_asked_for(target, filtered, new_privileges):
    """Also where a filter is loaded, which takes a capability until the very end."""
    if filtered:
        target.config["linux"]["seccomp"] = FILTER
    target.process["noNewPrivileges"] = not new_privileges
    if target.rootless and new_privileges and filtered:
        pytest.skip("spec --rootless has noNewPrivileges")
    target.start("/bin/sh", "-c", "cat /proc/self/status; sleep 100")
    for text in (target.exec("/bin/cat", "/proc/self/status").out,
                 target.exec("/bin/sh", "-c", "cat /proc/1/status").out):
        assert [status(text, c) for c in CAPS] == ["0" * 16, DEFAULT, DEFAULT, DEFAULT, "0" * 16], text
        assert status(text, "Seccomp") == ("2" if filtered or target.mode.startswith("old") else "0")


@pytest.mark.parametrize("filtered", [False, True])
def test_E21_a_user_has_no_capabilities(target, filtered):
    if target.rootless:
        pytest.skip("an ordinary user has one ID in the container")
    if filtered:
        target.config["linux"]["seccomp"] = FILTER
    target.process["noNewPrivileges"] = False
    target.process["user"] = {"uid": 1000, "gid": 1000}
    text = target.sh("cat /proc/self/status").out
    assert [status(text, c) for c in CAPS] == ["0" * 16, "0" * 16, "0" * 16, DEFAULT, "0" * 16], text


# ---- E22, E23 ----------------------------------------------------------------------------------


def test_E22_groups_are_those_of_the_configuration(target):
    if target.rootless:
        result = target.sh("id -G; cat /proc/self/setgroups")
        assert result.out.split()[-1] == "deny", str(result)
        return
    target.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [1000, 77]}
    assert sorted(target.ok("id -G").split()) == ["1000", "77"]
    target.process["user"] = {"uid": 1000, "gid": 1000}
    assert target.ok("id -G; grep Groups: /proc/self/status").split() == ["1000", "Groups:"]


def test_E22_a_file_that_denies_the_group_is_denied(target):
    if target.rootless:
        pytest.skip("an ordinary user has one ID in the container")
    secret = target.rootfs / "secret"
    secret.write_text("for others only\n")
    target.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [1000]}
    target.write()  # gives everything to the container's root
    os.chown(secret, target.outer_root, target.outer_root + 1000)
    secret.chmod(0o604)
    if target.userns:
        pytest.skip("written again before the start")
    result = target.sh("cat /secret")
    assert result.code != 0 and "others" not in result.out, str(result)


def test_E23_no_new_privileges_holds_for_set_user_id_and_file_capabilities(target):
    if target.rootless:
        pytest.skip("an ordinary user has one ID in the container")
    for name in ("suid", "capable"):
        (target.rootfs / "bin" / name).write_bytes((target.rootfs / "bin/attack").read_bytes())
    target.process["user"] = {"uid": 1000, "gid": 1000}
    script = "/bin/suid who; /bin/capable who; grep NoNewPrivs /proc/self/status"
    for held in (True, False):
        target.process["noNewPrivileges"] = held
        target.write()
        (target.rootfs / "bin/suid").chmod(0o4755)
        (target.rootfs / "bin/capable").chmod(0o755)
        rootid = struct.pack("<IIIII", 0x02000001, 1 << 5, 0, 0, 0)  # CAP_KILL, permitted and effective
        if not target.userns:
            os.setxattr(target.rootfs / "bin/capable", "security.capability", rootid)
        target.start("/bin/sleep", "100")
        result = target.exec("/bin/busybox", "sh", "-c", script, options=["--user", "1000:1000"])
        words = result.out.split()
        if held:
            assert words == ["1000", "0", "1000", "0", "NoNewPrivs:", "1"], str(result)
        elif not target.mode.startswith("old"):  # the twin: without it they work
            assert words[0] == "0" and (target.userns or words[3] == "20"), str(result)
        target.delete()


# ---- E31, E32 ----------------------------------------------------------------------------------


def test_E31_keys_of_the_host_are_out_of_reach(target):
    """A key in the caller's session keyring: neither found nor read by its number."""
    adder = subprocess.run(["python3", "-c", """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.syscall.restype = ctypes.c_long
libc.syscall(250, 1, None)  # a session keyring of our own
print(libc.syscall(248, b"user", b"kogge-e2e", b"host secret", 11, -3), flush=True)
sys.stdin.read()
"""], input="", capture_output=True, text=True, check=True)
    key = adder.stdout.strip()
    if int(key) < 0:
        pytest.skip("the kernel has no keys")
    result = target.run("/bin/attack", "keys", key)
    assert result.out == "", str(result)
    names = [target.sh("grep -c kogge-e2e /proc/keys").out for _ in range(2)]
    assert names == ["0\n", "0\n"], names


def test_E32_the_callers_terminal_is_out_of_reach(target):
    """The runtime's own terminal is descriptor 0 of the container; nothing may be typed into it."""
    target.process["args"] = ["/bin/attack", "type"]
    target.write()
    args = [*target.prefix, program.PROGRAMS / "kogge-runtime", "--root", target.states, "run", "--bundle", target.folder,
            target.id]
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(str(args[0]), [str(a) for a in args])
    said = b""
    while select.select([master], [], [], 20)[0]:
        try:
            data = os.read(master, 1000)
        except OSError:
            break
        if not data:
            break
        said += data
    _, code = os.waitpid(pid, 0)
    os.close(master)
    assert os.waitstatus_to_exitcode(code) == 0, said
    assert said == b"", said


# ---- E37 ---------------------------------------------------------------------------------------


def test_E37_exec_is_in_the_container_whatever_that_mounts_over_proc(target, canary):
    target.allow("CAP_SYS_ADMIN")
    script = ("mkdir -p /fake/self/ns /fake/1/ns /fake/sys/kernel; mount -t tmpfs none /proc 2>/dev/null || exit 7; "
              "mkdir -p /proc/self/fd /proc/self/attr /proc/1; touch /proc/self/attr/exec /proc/self/uid_map; "
              "echo mounted; sleep 100")
    target.start("/bin/sh", "-c", script)
    while "mounted" not in target.out and target.state()["status"] == "running":
        pass
    result = target.exec("/bin/sh", "-c", f"echo in; cat {canary}/file; ls /proc")
    assert "canary" not in result.out, str(result)
    assert result.code != 0 or "in\n" in result.out, str(result)


def test_E37_exec_beside_the_containers_end_leaves_no_process(target):
    before = set(os.listdir("/proc"))
    for delay in ("0", "0.005", "0.02", "0.05"):
        for _ in range(3):
            target.start("/bin/sleep", delay)
            pid = int((target.folder / "pid").read_text())
            result = target.exec("/bin/sh", "-c", "echo in; exec sleep 300", timeout=60)
            assert result.code != 0, str(result)
            wait_gone(pid)
            target.delete()
    stray = [p for p in set(os.listdir("/proc")) - before if p.isdigit() and
             "sleep\0300" in (pathlib.Path(f"/proc/{p}/cmdline").read_text() if os.path.exists(f"/proc/{p}/cmdline") else "")]
    assert stray == []


def test_E37_exec_joins_every_namespace(target):
    target.start("/bin/sleep", "100")
    pid = target.state()["pid"]
    out = target.exec("/bin/sh", "-c", "for n in mnt pid net ipc uts user cgroup; do readlink /proc/self/ns/$n; done").out
    wanted = [os.readlink(f"/proc/{pid}/ns/{n}") for n in ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup")]
    assert out.split() == wanted
    assert target.exec("/bin/readlink", "/proc/self/exe").out == "/bin/busybox\n"
