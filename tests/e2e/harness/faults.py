# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed and disks that are full, and what has to hold afterwards."""
import contextlib
import os
import pathlib
import random
import re
import select
import signal
import subprocess
import time

from . import host, program

FAILPOINT = re.compile(r'FAILPOINT(?:_ERRNO)?\("([^"]+)"')


def failpoints():
    """The names of all failpoints in the programs' sources."""
    names = set()
    for path in (program.TOP / "src").glob("*/*.c"):
        if not path.name.startswith("test-"):
            names |= set(FAILPOINT.findall(path.read_text(encoding="utf-8")))
    return sorted(names)


def duration(action):
    """The seconds that ACTION takes, the shortest of three."""
    times = []
    for _ in range(3):
        began = time.monotonic()
        action()
        times.append(time.monotonic() - began)
    return min(times)


def kill_at(process, seconds, rng):
    """Kills PROCESS, or one of those that it started, after SECONDS unless it ends before. Returns
    the name of what was killed, or None."""
    fd = os.pidfd_open(process.pid)
    ended = select.select([fd], [], [], seconds)[0]
    os.close(fd)
    if ended:
        return None
    family = {process.pid: "kogge", **below(process.pid)}
    pid = rng.choice(sorted(family))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return family[pid]
    return None


def below(pid):
    """{pid: name} of our own programs below PID; a container's own processes are left out."""
    found = {}
    ours = os.readlink("/proc/self/ns/pid")
    for child, text in host.descendants().items():
        with contextlib.suppress(OSError):
            if child != pid and os.readlink(f"/proc/{child}/ns/pid") == ours and text.startswith("kogge"):
                found[child] = text
    return found


def finish(process, seconds=30):
    """Waits for PROCESS; the output that it still has."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError("hung after a process was killed") from None


def settle(before):
    """Waits for what is still ending; the processes that do not."""
    return host.reap(set(host.descendants()) - before)


def seeded(name):
    """Random numbers that a failing run can repeat: KOGGE_FAULT_SEED."""
    seed = os.environ.get("KOGGE_FAULT_SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"KOGGE_FAULT_SEED={seed}")
    return random.Random(f"{seed} {name}")


def assert_sound(kogge, what):
    """What has to hold whenever nothing runs: every digest and reference is right."""
    result = kogge("system", "check", timeout=120)
    assert result.code == 0, f"after {what}: {result}"


@contextlib.contextmanager
def small_disk(folder, mib):
    """An ext4 file system of MIB MiB, mounted at FOLDER/disk."""
    image, disk = pathlib.Path(folder) / "disk.img", pathlib.Path(folder) / "disk"
    with open(image, "wb") as f:
        f.truncate(mib << 20)
    disk.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
        image.unlink()


def leave_free(disk, kib):
    """Fills DISK until about KIB KiB are free; returns the file to remove. The last block goes by
    writing: the file system's own needs are not in its count of free blocks."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as f:
        with contextlib.suppress(OSError):
            while True:
                f.write(bytes(1 << 20))
        with contextlib.suppress(OSError):
            while True:
                f.write(bytes(4096))
        f.truncate(max(0, f.tell() - (kib << 10)))
        os.fsync(f.fileno())
    return filler
