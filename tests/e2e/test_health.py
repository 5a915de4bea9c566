# SPDX-License-Identifier: Apache-2.0
"""Health checks."""
import subprocess

import pytest
from test_detached import ended, run

pytestmark = pytest.mark.needs_root


def becomes(kogge, ident, status):
    """Waits for the event."""
    process = kogge.popen("events", "--since", "1h", "--filter", f"container={ident}", "--format", "{{.Action}}",
                          stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.strip() == f"health_status: {status}":
            break
    process.terminate()
    process.communicate()


def finish(kogge, ident):
    kogge.ok("rm", "-f", ident)
    ended(kogge, ident)


def test_a_container_that_is_well(box):
    ident = run(box, "--health-cmd", "echo fine; exit 0", "--health-interval", "100ms", "busybox", "sleep", "1000")
    becomes(box, ident, "healthy")
    health = box.inspect(ident)["State"]["Health"]
    assert (health["Status"], health["FailingStreak"]) == ("healthy", 0)
    assert health["Log"][-1]["ExitCode"] == 0 and health["Log"][-1]["Output"] == "fine\n"
    assert "(healthy)" in box.ok("ps")
    finish(box, ident)


def test_one_that_is_not_after_so_many_failures(box):
    ident = run(box, "--health-cmd", "head -c 10000 /dev/zero | tr '\\0' x; exit 1", "--health-interval", "100ms",
                "--health-retries", "2", "busybox", "sleep", "1000")
    becomes(box, ident, "unhealthy")
    health = box.inspect(ident)["State"]["Health"]
    assert health["Status"] == "unhealthy" and health["FailingStreak"] >= 2
    assert len(health["Log"]) <= 5 and health["Log"][-1]["Output"] == "x" * 4096 + "..."
    assert "(unhealthy)" in box.ok("ps")
    assert ident.startswith(box.ok("ps", "-q", "-f", "health=unhealthy").strip())
    assert box.ok("ps", "-q", "-f", "health=healthy", "-f", "health=none") == ""
    finish(box, ident)


def test_a_check_that_takes_too_long(box):
    ident = run(box, "--health-cmd", "sleep 1000", "--health-interval", "100ms", "--health-timeout", "200ms",
                "--health-retries", "1", "busybox", "sleep", "1000")
    becomes(box, ident, "unhealthy")
    log = box.inspect(ident)["State"]["Health"]["Log"]
    assert log[-1]["ExitCode"] == -1 and "Health check exceeded timeout" in log[-1]["Output"]
    finish(box, ident)


def test_failures_of_the_start_do_not_count(box):
    ident = run(box, "--health-cmd", "test -e /up", "--health-interval", "30s", "--health-start-period", "1000s",
                "--health-start-interval", "100ms", "--health-retries", "1", "busybox", "sh", "-c", "sleep 1; touch /up; sleep 1000")
    assert "(health: starting)" in box.ok("ps")
    becomes(box, ident, "healthy")
    finish(box, ident)


def test_without_a_check_there_is_none(box):
    ident = run(box, "--no-healthcheck", "busybox", "sleep", "1000")
    info = box.inspect(ident)
    assert "Health" not in info["State"] and info["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    finish(box, ident)


def test_mistakes(box):
    box.fails(125, "run", "--no-healthcheck", "--health-cmd", "x", "busybox",
              saying="--no-healthcheck conflicts with --health-* options")
    box.fails(125, "run", "--health-interval", "-1s", "busybox", saying="--health-interval cannot be negative")
    box.fails(125, "run", "--health-interval", "999us", "busybox", saying="Interval in Healthcheck cannot be less than 1ms")
