# SPDX-License-Identifier: Apache-2.0
"""Many networks, and many containers on one: more than a bridge has ports (1,023), and more than a shell's limit of open
files. KOGGE_SCALE_CONTAINERS (24; 1,100 for the whole thing) and KOGGE_SCALE_NETWORKS (6; 300) say how many;
KOGGE_SCALE_WORKERS (4) how many commands at once."""
import os
import shutil
import subprocess
import threading

import pytest

from harness import program
from test_network_verbs import keepers, links, net, until  # noqa: F401  (a fixture)

CONTAINERS = int(os.environ.get("KOGGE_SCALE_CONTAINERS", "24"))
NETWORKS = int(os.environ.get("KOGGE_SCALE_NETWORKS", "6"))
WORKERS = int(os.environ.get("KOGGE_SCALE_WORKERS", "4"))
BRIDGE_PORTS = 1023
FEW_FILES = 48  # of a command: fewer than the keeper has with CONTAINERS
pytestmark = [pytest.mark.needs_root, pytest.mark.timeout(240 + 2 * CONTAINERS + 2 * NETWORKS)]


def in_parallel(work, items):
    """Calls WORK with each of ITEMS, WORKERS at once."""
    left, failed = list(items), []

    def run():
        while not failed:
            try:
                work(left.pop(0))
            except IndexError:
                return
            except AssertionError as e:
                failed.append(e)
    threads = [threading.Thread(target=run) for _ in range(WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed[0]


def with_few_files(kogge, *args):
    """Runs a command as from a shell with a low (soft) limit of open files."""
    result = program.run(["sh", "-c", f'ulimit -Sn {FEW_FILES} && exec "$@"', "sh", *kogge.args(*args)])
    assert result.code == 0, str(result)


def elements(words):
    """Whether one of WORDS (addresses) is in our rules."""
    if not shutil.which("nft"):
        return False
    out = subprocess.run(["nft", "list", "ruleset"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    return any(f'{w} ' in out or f'{w},' in out for w in words)


def test_containers_beyond_the_ports_of_a_bridge_and_the_limit_of_files(net):  # noqa: F811
    """The keeper has two sockets for each container, and must not be bound by the limit of the shell that started it."""
    net.ok("network", "create", "--subnet", "10.250.0.0/16", "crowd")
    bridge = f"br-{net.ok('network', 'ls', '-q', '--no-trunc', '-f', 'name=crowd')[:12]}"
    names = [f"crowd-{i}" for i in range(CONTAINERS)]
    in_parallel(lambda name: with_few_files(net, "run", "-d", "--name", name, "--network", "crowd", "busybox", "sleep", "100000"), names)
    first, last = names[0], names[-1]
    assert len(net.ok("ps", "-q").split()) == CONTAINERS
    address = net.inspect(last)["NetworkSettings"]["Networks"]["crowd"]["IPAddress"]
    assert f"({address})" in net.ok("exec", first, "ping", "-c", "1", "-W", "10", last)
    assert net("exec", last, "ping", "-c", "1", "-W", "10", first).code == 0
    ports = os.listdir(f"/sys/class/net/{bridge}/brif")
    assert len(ports) <= BRIDGE_PORTS
    assert any(p.startswith("kgr") for p in ports) == (CONTAINERS > BRIDGE_PORTS)
    in_parallel(lambda some: net.ok("rm", "-f", *some), [names[i:i + 50] for i in range(0, CONTAINERS, 50)])
    net.ok("network", "rm", "crowd")
    assert bridge not in links() and not elements([address])
    assert until(lambda: not keepers(net), 60), "the keeper stayed"


def test_many_networks(net):  # noqa: F811
    before = links()
    names = [f"many-{i}" for i in range(NETWORKS)]
    bridges = set()

    def create(name):
        at = int(name[5:])
        ident = net.ok("network", "create", "--subnet", f"10.249.{at // 16}.{at % 16 * 16}/28", name)
        bridges.add(f"br-{ident[:12]}")
    in_parallel(create, names)
    assert bridges <= links() and not bridges & before
    in_parallel(lambda name: net.ok("run", "-d", "--name", name, "--network", name, "busybox", "sleep", "100000"), names)
    addresses = {net.inspect(name)["NetworkSettings"]["Networks"][name]["IPAddress"] for name in names}
    assert len(addresses) == NETWORKS
    other = net.inspect(names[-1])["NetworkSettings"]["Networks"][names[-1]]["IPAddress"]
    assert NETWORKS == 1 or net("exec", names[0], "ping", "-c", "1", "-W", "1", other).code != 0, "networks reach each other"
    in_parallel(lambda name: net.ok("rm", "-f", name), names)
    in_parallel(lambda name: net.ok("network", "rm", name), names)
    assert until(lambda: not keepers(net), 60), "the keeper stayed"
    assert not bridges & links()
    assert net.ok("network", "ls", "-q", "-f", "type=custom") == ""
