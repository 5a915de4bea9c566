# SPDX-License-Identifier: Apache-2.0
"""Many clients at once, on containers of their own and on each other's: no deadlock, no state that
lies, nothing left. KOGGE_STRESS_SECONDS (10) says for how long, KOGGE_STRESS_CLIENTS (16) how many."""
import os
import random
import threading
import time

import pytest

SECONDS = float(os.environ.get("KOGGE_STRESS_SECONDS", "10"))
CLIENTS = int(os.environ.get("KOGGE_STRESS_CLIENTS", "16"))
pytestmark = pytest.mark.timeout(SECONDS + 240)


class Client(threading.Thread):
    """Makes, starts, enters and removes containers until the time is over."""

    def __init__(self, box, serial, until):
        super().__init__()
        self.box, self.serial, self.until, self.rounds, self.error = box, serial, until, 0, None

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.one_round(f"stress-{self.serial}-{self.rounds}")
                self.rounds += 1
        except AssertionError as e:
            self.error = e

    def one_round(self, name):
        box = self.box
        box.ok("create", "--name", name, "--network", "none", "busybox", "sleep", "1000")
        box.ok("start", name)
        assert box.ok("exec", name, "echo", name) == name + "\n"
        assert name in box.ok("ps", "--format", "{{.Names}}").split()
        if self.rounds % 3 == 0:
            box.ok("pause", name)
            box.ok("unpause", name)
        if self.rounds % 2 == 0:
            box.ok("kill", name)
            assert box.ok("wait", name) == "137\n"
            box.ok("rm", name)
        else:
            box.ok("rm", "-f", name)
        assert name not in box.ok("ps", "-a", "--format", "{{.Names}}").split()


def in_parallel(clients):
    for c in clients:
        c.start()
    for c in clients:
        c.join()
    errors = [c.error for c in clients if c.error]
    assert not errors, errors[0]


def test_F12_clients_at_once_do_not_disturb_each_other(box):
    until = time.monotonic() + SECONDS
    clients = [Client(box, i, until) for i in range(CLIENTS)]
    in_parallel(clients)
    assert sum(c.rounds for c in clients) >= CLIENTS
    assert box.ok("ps", "-aq") == ""
    assert "0 damaged" in box.ok("system", "check")


class Rival(threading.Thread):
    """Does to the same few containers whatever comes to mind. Only the words may fail: a name that is
    gone, a state that does not fit."""
    VERBS = (["start"], ["kill"], ["rm", "-f"], ["pause"], ["unpause"], ["stop", "-t", "0"], ["restart", "-t", "0"],
             ["rename"], ["inspect"], ["exec"], ["create"])

    def __init__(self, box, serial, until):
        super().__init__()
        self.box, self.until, self.random, self.error = box, until, random.Random(serial), None

    def run(self):
        while time.monotonic() < self.until and not self.error:
            verb = self.random.choice(self.VERBS)
            name = f"rival-{self.random.randrange(4)}"
            if verb == ["create"]:
                r = self.box("create", "--name", name, "--network", "none", "busybox", "sleep", "1000")
            else:
                more = {"rename": [f"rival-{self.random.randrange(4)}"], "exec": ["true"]}.get(verb[0], [])
                r = self.box(*verb, name, *more)
            if r.code not in (0, 1, 125, 126, 127, 128 + 9) or "internal" in r.err or r.code < 0:
                self.error = AssertionError(str(r))


def test_F12_rivals_for_the_same_containers_leave_a_whole_store(box):
    until = time.monotonic() + SECONDS
    in_parallel([Rival(box, i, until) for i in range(CLIENTS)])
    names = box.ok("ps", "-aq").split()
    if names:
        box.ok("rm", "-f", *names)
    assert box.ok("ps", "-aq") == ""
    assert "0 damaged" in box.ok("system", "check")
