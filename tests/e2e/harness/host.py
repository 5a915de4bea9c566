# SPDX-License-Identifier: Apache-2.0
"""The state of the host that no test may change (docs/SECURITY.md, the harness rule): taken before
and after each test and compared. Processes that outlive their parent become children of the test
process, which is their subreaper, so that none can hide."""
import ctypes
import hashlib
import os
import pathlib
import select
import shutil
import subprocess

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
SETTLE_SECONDS = 10
# Also look at what other users of the machine may change: cgroups, links, rules. `make check` sets
# it; leave it out while something else works with containers on the machine.
STRICT = bool(os.environ.get("KOGGE_TEST_STRICT"))

_libc = ctypes.CDLL(None, use_errno=True)


def isolate():
    """Makes this process the reaper of its orphans and, as root, gives it a mount table of its own."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.geteuid() == 0 and _libc.unshare(CLONE_NEWNS) == 0:
        _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def descendants():
    """{pid: command} of every process below this one; zombies without an owner are reaped."""
    children = {}
    names = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
            children.setdefault(int(rest[1]), []).append(int(entry))
            names[int(entry)] = f"{name} {rest[0]}"
    found, todo = {}, [os.getpid()]
    while todo:
        for pid in children.get(todo.pop(), ()):
            found[pid] = names[pid]
            todo.append(pid)
    return found


def reap(pids):
    """Waits for PIDS to end, at most SETTLE_SECONDS; returns those that still run. What ends by
    itself within that time is deferred clean-up, which is allowed."""
    left = set()
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = select.select([fd], [], [], SETTLE_SECONDS)[0]
        os.close(fd)
        if not ended:
            left.add(pid)
        else:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
    return left


def _mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return {" ".join(line.split()[3:5]) for line in f}


def _cgroups():
    found = set()
    for folder, dirs, _ in os.walk("/sys/fs/cgroup"):
        found |= {os.path.join(folder, d) for d in dirs}
    # Others on the machine (services, other daemons) make and remove theirs at any time. The parents
    # of all containers and of all monitors stay.
    stay = ("kogge", "kogge.host", "monitors")
    return {path for path in found if "kogge" in path and os.path.basename(path) not in stay}


def _rules():
    if not shutil.which("nft"):
        return set()
    out = subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True, check=False).stdout
    return set(out.splitlines())


def _kernel_settings():
    paths = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/kernel/modprobe"]
    return {f"{p}={pathlib.Path(p).read_text().strip()}" for p in paths if os.path.exists(p)}


def digests(paths):
    """{'path sha256 mode links'} of files: content, permissions, hard links."""
    found = set()
    for path in paths:
        st = os.lstat(path)
        data = os.readlink(path).encode() if os.path.islink(path) else \
            pathlib.Path(path).read_bytes() if os.path.isfile(path) else b""
        found.add(f"{path} {hashlib.sha256(data).hexdigest()[:16]} {st.st_mode:o} {st.st_uid}:{st.st_gid} "
                  f"{st.st_nlink if not os.path.isdir(path) else ''}")
    return found


class Snapshot:
    """What the host looks like now. FILES are compared by content: the canary, our programs."""

    def __init__(self, files=()):
        self.files = list(files)
        self.processes = set(descendants())
        self.parts = self._take()

    def _take(self):
        parts = {"mounts": _mounts(), "kernel settings": _kernel_settings(), "files": digests(self.files)}
        if STRICT:
            parts |= {"cgroups": _cgroups(), "links": set(os.listdir("/sys/class/net")), "rules": _rules()}
        return parts

    def differences(self, before):
        """Texts, one for each difference from BEFORE; none when all is as it was. Processes that are
        about to end may clean up until then."""
        names = descendants()
        left = reap(self.processes - before.processes)
        if self.parts != before.parts:
            self.parts = self._take()
        found = []
        for what, now in self.parts.items():
            then = before.parts.get(what, set())
            found += [f"{what}: new: {item}" for item in sorted(now - then)]
            found += [f"{what}: gone: {item}" for item in sorted(then - now)]
        return found + [f"process left: {pid} ({names.get(pid, '?')})" for pid in sorted(left)]
