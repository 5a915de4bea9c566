# SPDX-License-Identifier: Apache-2.0
"""Killed processes, failing calls, full disks: nothing corrupt, nothing lost, nothing left, and the
next command works. The number of random kills is KOGGE_FAULT_ROUNDS (CI's default is small; 500 is
the project's promise), the seed is printed."""
import os
import subprocess

import pytest

from harness import faults, host, images

ROUNDS = int(os.environ.get("KOGGE_FAULT_ROUNDS", "45"))
pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="session")
def archive(session_folder, busybox_tar):
    """An image as `save` writes it, with a name that is in no store yet: `loaded`."""
    from conftest import need_kogge
    from harness import program
    need_kogge()
    maker = program.Kogge(session_folder / "archive-store")
    maker.folder.mkdir()
    tar = images.busybox(session_folder / "loaded-rootfs.tar", {"etc/loaded": "loaded\n"})
    maker.ok("import", tar, "loaded")
    path = session_folder / "loaded.tar"
    maker.ok("save", "-o", path, "loaded")
    return path


def start(kogge, *args, env=None):
    return kogge.popen(*args, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def load(kogge, archive):
    return ("load", "-i", archive)


def run(kogge, archive):
    return ("run", "--network", "none", "--label", "fault=run", "busybox", "true")


def run_rm(kogge, archive):
    return ("run", "--rm", "--network", "none", "busybox", "sh", "-c", "echo some output")


def rm(kogge, archive):
    return ("rm", "-f", kogge.ok("create", "--network", "none", "busybox", "true").strip())


def rmi(kogge, archive):
    kogge.ok("load", "-i", archive)
    return ("rmi", "-f", "loaded")


def commit(kogge, archive):
    name = kogge.ok("create", "--network", "none", "busybox", "true").strip()
    kogge.ok("cp", __file__, f"{name}:/tmp")
    return ("commit", name, "loaded")


def copy(kogge, archive):
    return ("cp", os.path.dirname(__file__), kogge.ok("create", "--network", "none", "busybox", "true").strip() + ":/tmp")


OPERATIONS = [load, run, run_rm, rm, rmi, commit, copy]


def clean(kogge):
    """Removes every container and the loaded image; all of it has to work."""
    ids = kogge.ok("ps", "-aq").split()
    if ids:
        kogge.ok("rm", "-f", *ids)
    if "loaded" in kogge.ok("images", "--format", "{{.Repository}}").split():
        kogge.ok("rmi", "-f", "loaded")


def trees(kogge):
    """What is on disk, without what may differ from run to run."""
    return {f[len(str(kogge.folder)):] for f in kogge.files()}


@pytest.mark.timeout(1800)
def test_F01_kill_at_random_moments_loses_nothing(box, archive):
    rng = faults.seeded("random")
    seconds = {}
    for operation in OPERATIONS:
        seconds[operation] = faults.duration(lambda o=operation: box(*o(box, archive)))
        clean(box)
    processes = set(host.descendants())
    killed = 0
    for i in range(ROUNDS):
        operation = OPERATIONS[i % len(OPERATIONS)]
        args = operation(box, archive)
        process = start(box, *args)
        victim = faults.kill_at(process, rng.uniform(0, 1.1 * seconds[operation]), rng)
        out, err = faults.finish(process)
        killed += victim is not None
        what = f"round {i}: {operation.__name__}, killed {victim}: {out} {err}"
        if operation is load and victim is None:
            assert "loaded" in box.ok("images"), f"lost what load reported as done: {what}"
        assert box("run", "--rm", "--network", "none", "busybox", "echo", "works").out == "works\n", what
        left = faults.settle(processes)
        assert not left, f"processes {left} left after {what}"
        faults.assert_sound(box, what)
        clean(box)
    print(f"{killed} of {ROUNDS} killed in time")
    assert killed > ROUNDS // 5, "hardly anything was killed in time: the test would prove nothing"


def test_F01_random_kills_leave_no_files(box, archive):
    """As many files after as before: half-done work is found and undone."""
    rng = faults.seeded("files")
    for operation in OPERATIONS:
        box(*operation(box, archive))
    clean(box)
    box.ok("image", "prune", "-f")
    before = trees(box)
    for operation in OPERATIONS * 2:
        process = start(box, *operation(box, archive))
        faults.kill_at(process, rng.uniform(0, 0.05), rng)
        faults.finish(process)
    clean(box)
    box.ok("image", "prune", "-f")
    box.ok("system", "prune", "-f")
    assert trees(box) - before == set()


@pytest.mark.parametrize("action", ["kill", "error(ENOSPC)", "error(EIO)"])
@pytest.mark.timeout(900)
def test_F01_every_failpoint(box, archive, action):
    names = faults.failpoints()
    if not names:
        pytest.skip("the programs have no failpoints")
    hit = set()
    for name in names:
        for operation in OPERATIONS:
            args = operation(box, archive)
            # Once: with `error` on every try, nothing could be undone either.
            process = start(box, *args, env={"KOGGE_FAILPOINTS": f"{name}={action}*1"})
            out, err = faults.finish(process)
            what = f"{operation.__name__} with {name}={action}: {process.returncode} {out} {err}"
            if process.returncode != 0:
                hit.add(name)
                assert process.returncode == -9 or err.strip(), f"no message: {what}"
                assert box("run", "--rm", "--network", "none", "busybox", "echo", "works").out == "works\n", what
                faults.assert_sound(box, what)
            clean(box)
        faults.assert_sound(box, name)
    print(f"{len(hit)} of {len(names)} failpoints made an operation fail")
    assert hit


@pytest.mark.timeout(600)
def test_F03_full_disk_while_loading(kogge, archive, busybox_tar, scratch):
    """A disk with less and less room: load works whole or fails with a message and leaves nothing."""
    outcomes = set()
    with faults.small_disk(scratch, 64) as disk:
        kogge.root = disk / "root"
        kogge.ok("import", busybox_tar, "busybox")
        for kib in (16384, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 0):
            filler = faults.leave_free(disk, kib)
            result = kogge("load", "-i", archive)
            filler.unlink()
            outcomes.add(result.code == 0)
            if result.code == 0:
                kogge.ok("rmi", "-f", "loaded")
            else:
                assert "no space" in result.err.lower(), str(result)
                assert "loaded" not in kogge.ok("images"), str(result)
            faults.assert_sound(kogge, f"load with {kib} KiB free")
        kogge.ok("load", "-i", archive)
        assert kogge.ok("run", "--rm", "--network", "none", "loaded", "cat", "/etc/loaded") == "loaded\n"
    assert outcomes == {True, False}, "the disk was never full, or always"


@pytest.mark.timeout(600)
def test_X03_full_disk_does_not_keep_containers_from_going(kogge, busybox_tar, scratch):
    with faults.small_disk(scratch, 64) as disk:
        kogge.root = disk / "root"
        kogge.ok("import", busybox_tar, "busybox")
        names = [kogge.ok("create", "--network", "none", "busybox", "true").strip() for _ in range(3)]
        filler = faults.leave_free(disk, 0)
        kogge.ok("ps", "-a")
        kogge.ok("rm", "-f", *names)
        assert kogge.ok("ps", "-aq") == ""
        filler.unlink()
        faults.assert_sound(kogge, "rm on a full disk")


def test_X03_a_full_disk_is_told_to_the_container(kogge, busybox_tar, scratch):
    with faults.small_disk(scratch, 32) as disk:
        kogge.root = disk / "root"
        kogge.ok("import", busybox_tar, "busybox")
        result = kogge("run", "--rm", "--network", "none", "busybox", "dd", "if=/dev/zero", "of=/file", "bs=1M", "count=100")
        assert result.code == 1 and "no space left" in result.err.lower(), str(result)
        faults.assert_sound(kogge, "a container filled the disk")
