# SPDX-License-Identifier: Apache-2.0
"""Waiting for what nothing tells: another program's state, the end of a process that is not ours."""
import select
import time


def until(ask, what="it", seconds=20, between=lambda: None):
    """Asks every 20 ms until ASK returns something true, and returns that. BETWEEN is called before
    each question."""
    end = time.monotonic() + seconds
    while True:
        between()
        value = ask()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        select.select([], [], [], 0.02)
