# SPDX-License-Identifier: Apache-2.0
"""Networks beside the firewall of the host: what its owner's chains drop only because no rule lets it through."""
import pathlib
import subprocess

import pytest
from harness import dbus, program
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


LEGACY = """
ip link set lo up
unshare -n sleep 300 </dev/null >/dev/null 2>&1 & far=$!
ip link add lan type veth peer name peer
until ip link set peer netns $far 2>/dev/null && ! ip link show peer >/dev/null 2>&1; do :; done
ip addr add 192.0.2.1/24 dev lan; ip link set lan up
nsenter -t $far -n ip addr add 192.0.2.2/24 dev peer; nsenter -t $far -n ip link set peer up
iptables-legacy -P FORWARD DROP
iptables-legacy -A FORWARD -d 192.0.2.3 -j DROP
trap 'kill $far' EXIT
reaches() { $KOGGE run --rm --network $1 busybox ping -c 1 -W 2 192.0.2.2 >/dev/null; }
listed() { iptables-legacy -S FORWARD | grep -c kogge || true; }
"""


def in_a_namespace(box, text):
    """The output of a script, run where the host's network is one of its own, before a host at 192.0.2.2."""
    return program.run(["unshare", "-n", "sh", "-ec", LEGACY + text], env={"KOGGE": " ".join(box.args())})


@pytest.mark.timeout(300)
def test_iptables_before_nf_tables_is_passed(box, need_tool):
    need_tool("iptables-legacy")
    if program.run(["unshare", "-n", "iptables-legacy", "-S"]).code:
        pytest.skip("the kernel has no tables of iptables before nf_tables")
    r = in_a_namespace(box, """
        $KOGGE network create n >/dev/null
        $KOGGE network create other >/dev/null
        reaches n
        reaches other
        listed
        iptables-legacy -S FORWARD | sed -n 2p
        iptables-legacy -F FORWARD
        $KOGGE network create third >/dev/null
        reaches third
        $KOGGE network rm n other >/dev/null
        reaches third
        listed
        $KOGGE network rm third >/dev/null
        listed
        iptables-legacy -P FORWARD ACCEPT
        $KOGGE network create n >/dev/null
        reaches n
        listed
        $KOGGE network rm n >/dev/null""")
    assert r.code == 0, str(r)
    assert r.out.split("\n")[:-1] == ["4", "-A FORWARD -d 192.0.2.3/32 -j DROP", "2", "0", "0"]


def test_no_table_is_made_where_there_was_none(box, need_tool):
    need_tool("iptables-legacy")
    r = program.run(["unshare", "-n", "sh", "-ec", """ip link set lo up
        $KOGGE network create n >/dev/null; $KOGGE network rm n >/dev/null; cat /proc/net/ip_tables_names"""],
        env={"KOGGE": " ".join(box.args())})
    assert (r.code, r.out) == (0, ""), str(r)
