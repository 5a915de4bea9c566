# SPDX-License-Identifier: Apache-2.0
"""Networks beside the firewall of the host: what its owner's chains drop only because no rule lets it through."""
import pathlib
import subprocess

import pytest
from harness import dbus
from harness.waiting import until

pytestmark = pytest.mark.needs_root


def nft(*words, rules=None):
    return subprocess.run(["nft", *words], input=rules, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True).stdout


@pytest.fixture
def table(need_tool):
    """Makes tables of the host's owner, which go with the test."""
    need_tool("nft")
    made = []

    def make(name, *lines):
        made.append(name)
        nft("-f", "-", rules="".join(f"add {line}\n" for line in (f"table inet {name}", *lines)))

    yield make
    for name in made:
        nft("delete", "table", "inet", name)


class Firewalld(dbus.Service):
    """Keeps what it was asked for."""

    folder, name = pathlib.Path("/run/dbus"), "system_bus_socket"

    def __init__(self, refuses=False):
        self.calls, self.refuses = [], refuses

    def answer(self, client, serial, member, body):
        if member == "Hello":
            client.sendall(dbus.message(2, [(5, "u", serial), (8, "g", "s")], dbus.text(":1.7"), 1))
            client.sendall(dbus.message(4, [(1, "o", "/x"), (2, "s", "x.y"), (3, "s", "NameAcquired"), (8, "g", "s")], dbus.text(":1.7"), 2))
            return
        self.calls.append([member, body.text(), body.text()])
        if self.refuses:
            client.sendall(dbus.message(3, [(4, "s", "org.freedesktop.DBus.Error.ServiceUnknown"), (5, "u", serial), (8, "g", "s")],
                                        dbus.text("nobody has this name"), 3))
        else:
            client.sendall(dbus.message(2, [(5, "u", serial), (8, "g", "s")], dbus.text("trusted"), 3))


@pytest.mark.parametrize("refuses", (False, True), ids=("there", "gone"))
def test_firewalld_is_told_of_a_bridge(box, table, refuses):
    table("firewalld", "chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; }")
    with Firewalld(refuses) as firewalld:
        link = f"br-{box.ok('network', 'create', 'n').strip()[:12]}"
        box.ok("run", "-d", "--name", "one", "--network", "n", "busybox", "sleep", "1000")
        assert ["addInterface", "trusted", link] in firewalld.calls
        box.ok("rm", "-f", "one")
        box.ok("network", "rm", "n")
        assert ["removeInterface", "trusted", link] in firewalld.calls
        box.ok("run", "--rm", "--network", "none", "busybox", "true")
    assert "kogge" not in nft("list", "table", "inet", "firewalld")


def test_a_bus_that_is_not_there_is_no_error(box, table):
    table("firewalld", "chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; }")
    box.ok("network", "create", "n")
    box.ok("run", "--rm", "--network", "n", "busybox", "true")
    box.ok("network", "rm", "n")


def test_chains_that_drop_are_passed_whenever_they_come(box, table):
    link = f"br-{box.ok('network', 'create', 'n').strip()[:12]}"
    box.ok("run", "-d", "--name", "one", "--network", "n", "busybox", "sleep", "1000")
    table("owner", "chain inet owner passing { type filter hook forward priority 0 ; policy drop ; }",
          "rule inet owner passing tcp dport 81 drop")

    def rules():
        return [line.strip() for line in nft("list", "chain", "inet", "owner", "passing").splitlines()]

    def passed():
        return sum(link in line for line in rules()) == 2

    until(passed)
    assert rules().index("tcp dport 81 drop") < next(i for i, line in enumerate(rules()) if link in line)
    nft("flush", "chain", "inet", "owner", "passing")
    until(passed)
    box.ok("rm", "-f", "one")
    box.ok("network", "rm", "n")
    assert [line for line in rules() if link in line] == []
