# SPDX-License-Identifier: Apache-2.0
"""Containers that use up what they can reach: what is theirs ends there, and every command of the
host still works."""
import os
import pathlib
import subprocess
import time

import pytest

from harness import program

pytestmark = pytest.mark.needs_root
SHELL = ["busybox", "sh", "-c"]
MANY = 20000 if program.SANITIZED else 100000


def quick(box):
    """Commands that answer whatever a container does, each in a time that only a hang exceeds."""
    box.ok("ps", "-a", timeout=20)
    box.ok("images", timeout=20)
    assert box.ok("run", "--rm", "--network", "none", "busybox", "echo", "fine", timeout=30) == "fine\n"


def test_X04_very_many_empty_files(box):
    """Their removal holds up nobody else."""
    script = f"mkdir /many && cd /many && for d in $(seq {MANY // 1000}); do mkdir $d && (cd $d && touch $(seq 1000)); done; ls | wc -l"
    assert box.ok("run", "--name", "files", "--network", "none", *SHELL, script, timeout=240) == f"{MANY // 1000}\n"
    assert f"A /many/{MANY // 1000}/1000" in box.ok("diff", "files", timeout=120)
    removal = box.popen("rm", "files", stdout=subprocess.DEVNULL)
    quick(box)
    assert removal.wait(120) == 0
    assert not [f for f in box.files() if "/many/" in f]


def test_X07_no_container_writes_or_reads_the_kernels_log(box):
    for options in ([], ["--user", "1000"]):
        for script in ("timeout 5 dmesg", "timeout 5 dmesg -c", "test -e /dev/kmsg", "mknod /tmp/k c 1 11 && echo kogge >/tmp/k",
                       "timeout 5 cat /proc/kmsg | grep ."):
            result = box("run", "--rm", "--network", "none", *options, *SHELL, script)
            assert result.code != 0, str(result)


def test_X08_what_is_counted_by_user_does_not_stop_our_commands(box):
    """A container of the host's root can use up root's inotify instances; Docker's can, too."""
    box.ok("run", "-d", "--name", "greedy", "--network", "none", *SHELL,
           "for i in $(seq 400); do inotifyd - /tmp & done; echo all; wait")
    end = time.monotonic() + 30
    while "all" not in box.ok("logs", "greedy"):
        assert time.monotonic() < end
    quick(box)
    follow = box.popen("logs", "-f", "greedy", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    box.ok("stop", "-t", "0", "greedy", timeout=30)
    assert b"all\n" in follow.communicate(timeout=30)[0]
    box.ok("rm", "greedy")


def test_X09_deep_and_large(box):
    deep = 1000
    script = f"cd /; for i in $(seq {deep}); do mkdir d && cd d || exit 1; done; echo end >file; ls"
    box.ok("run", "--name", "deep", "--network", "none", *SHELL, script, timeout=120)
    assert len(box.ok("diff", "deep", timeout=60).splitlines()) >= deep
    box.ok("commit", "deep", "deep-image", timeout=60)
    out = box.ok("run", "--rm", "--network", "none", "deep-image", "sh", "-c",
                 f"cd /; for i in $(seq {deep}); do cd d || exit 1; done; cat file", timeout=60)
    assert out == "end\n"
    box.ok("rm", "deep")
    box.ok("rmi", "deep-image")
    quick(box)


@pytest.mark.parametrize("size", [100_000, 131_000, 200_000])
def test_X09_long_arguments_and_environment(box, size):
    """What execve takes it gets; what it refuses (MAX_ARG_STRLEN is 131,072) is the start's error."""
    for args in (["-e", "LONG=" + "x" * size, "busybox", "sh", "-c", "echo ${#LONG}"],
                 ["busybox", "sh", "-c", "echo ${#1}", "sh", "x" * size]):
        if size > 131_071:
            break
        assert box.ok("run", "--rm", "--network", "none", *args).strip() == str(size)
    with open(box.folder / "env", "w", encoding="utf-8") as f:
        f.writelines(f"V{i}={'y' * 1000}\n" for i in range(size // 100))
    result = box("run", "--rm", "--env-file", str(box.folder / "env"), "--network", "none", *SHELL, "env | grep -c ^V")
    assert (result.code == 0 and result.out == f"{size // 100}\n") or (result.code != 0 and result.err), str(result)
    assert box.ok("ps", "-aq") == ""


def test_X10_many_execs_at_once(box):
    box.ok("run", "-d", "--name", "target", "--network", "none", "busybox", "sleep", "1000")
    many = 16 if program.SANITIZED else 100
    all_ = [box.popen("exec", "target", "echo", str(i), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for i in range(many)]
    for i, process in enumerate(all_):
        out = process.communicate(timeout=60)[0]
        assert (out.decode(), process.returncode) == (f"{i}\n", 0)
    assert len(box.ok("top", "target").splitlines()) == 2
    box.ok("rm", "-f", "target")


@pytest.mark.parametrize("init", [True, False])
def test_X11_orphans_and_zombies(box, init):
    """With --init they are reaped; without they are the container's own problem, and end with it."""
    script = "for i in $(seq 300); do (sh -c 'exit 0' &) ; done; echo made; exec sleep 1000"
    box.ok("run", "-d", "--name", "orphans", *(["--init"] if init else []), "--network", "none", *SHELL, script)
    end = time.monotonic() + 30
    while "made" not in box.ok("logs", "orphans"):
        assert time.monotonic() < end
    if init:
        while "Z" in (states := box.ok("exec", "orphans", "sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null | cut -d' ' -f3").split()):
            assert time.monotonic() < end, states
    quick(box)
    box.ok("stop", "-t", "0", "orphans", timeout=30)
    box.ok("rm", "orphans")


def test_X13_writes_to_a_disk_are_held_back(box):
    """Direct writes, which version 1 counts as well: a megabyte over the limit takes its second."""
    at = os.stat(box.folder).st_dev
    disk = pathlib.Path(f"/sys/dev/block/{os.major(at)}:{os.minor(at)}").resolve()
    if not disk.exists() or (disk / "partition").exists():
        pytest.skip("the test's folder is not on a whole disk")
    if not pathlib.Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device").exists():
        pytest.skip("no blkio controller of cgroup version 1; the guest looks at io.max")
    write = ["busybox", "dd", "if=/dev/zero", "of=/file", "bs=64k", "count=32", "oflag=direct"]
    limit = ["--device-write-bps", f"/dev/{disk.name}:1mb", "--device-read-iops", f"/dev/{disk.name}:7"]
    if box("run", "--rm", "--network", "none", *write).code != 0:
        pytest.skip("the file system takes no direct writes")
    start = time.monotonic()
    box.ok("run", "--name", "slow", "--network", "none", *limit, *write, timeout=60)
    assert time.monotonic() - start > 0.9
    host = box.inspect("slow")["HostConfig"]
    assert host["BlkioDeviceWriteBps"] == [{"Path": f"/dev/{disk.name}", "Rate": 1 << 20}]
    assert host["BlkioDeviceReadIOps"] == [{"Path": f"/dev/{disk.name}", "Rate": 7}]
