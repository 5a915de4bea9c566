# SPDX-License-Identifier: Apache-2.0
"""The monitors of containers, found as a user finds them: among the processes."""
import pathlib

from harness.waiting import until


def find_monitor(ident):
    """PID of the monitor of the container whose whole ID is IDENT; None when there is none. Just
    after a start and at the end of a run it is another program for a moment, and not found."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"kogge-monitor" and words[1] == ident.encode():
            return int(folder.name)
    return None


def monitor_of(ident):
    """PID of the monitor of the container whose whole ID is IDENT, which runs or just starts."""
    return until(lambda: find_monitor(ident), f"the monitor of {ident}")
