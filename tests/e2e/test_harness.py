# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a check that cannot fail would hide everything behind it."""
import os
import subprocess

import pytest

from harness import host, program


def test_snapshot_of_an_untouched_host_has_no_differences(canary):
    before = host.Snapshot(canary.iterdir())
    assert host.Snapshot(canary.iterdir()).differences(before) == []


def test_snapshot_sees_a_changed_file(scratch):
    victim = scratch / "file"
    victim.write_text("before")
    before = host.Snapshot([victim])
    victim.write_text("after")
    found = host.Snapshot([victim]).differences(before)
    assert len(found) == 2 and all(str(victim) in f for f in found)


def test_snapshot_sees_another_mode_and_another_hard_link(scratch):
    victim = scratch / "file"
    victim.write_text("same")
    before = host.Snapshot([victim])
    os.link(victim, scratch / "link")
    assert host.Snapshot([victim]).differences(before) != []


@pytest.mark.needs_root
def test_snapshot_sees_a_mount(scratch):
    before = host.Snapshot()
    subprocess.run(["mount", "-t", "tmpfs", "none", scratch], check=True)
    found = host.Snapshot().differences(before)
    subprocess.run(["umount", scratch], check=True)
    assert found == [f"mounts: new: / {scratch}"]


def test_snapshot_sees_an_orphan(monkeypatch):
    monkeypatch.setattr(host, "SETTLE_SECONDS", 0)
    before = host.Snapshot()
    orphan = int(subprocess.run(["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"], check=True,
                                stdout=subprocess.PIPE).stdout)
    found = host.Snapshot().differences(before)
    os.kill(orphan, 9)
    os.waitpid(orphan, 0)
    assert found == [f"process left: {orphan} (sleep S)"]


def test_a_hanging_program_fails_the_test():
    with pytest.raises(AssertionError, match="hung"):
        program.run(["sleep", "1000"], timeout=0.1)


@pytest.mark.needs_docker
def test_dockerd_of_our_own_answers(docker):
    assert "Server" in docker.ok("version")
