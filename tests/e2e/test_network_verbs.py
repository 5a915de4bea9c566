# SPDX-License-Identifier: Apache-2.0
"""network create, ls, inspect, connect, disconnect, rm, prune; containers on networks: addresses, ports, files, names,
and what is left of them. What the kernel does with packets is in test_network.py."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request

import pytest

from harness import program
from harness.waiting import until

pytestmark = pytest.mark.needs_root


def can_make_bridges():
    """Whether the kernel has what it takes: asked of the kernel, not of kogge."""
    if not shutil.which("ip"):
        return False
    made = subprocess.run(["ip", "link", "add", "kgtest0", "type", "bridge"], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["ip", "link", "del", "kgtest0"], check=False, stderr=subprocess.DEVNULL)
    return made.returncode == 0


@pytest.fixture
def net(box):
    if not can_make_bridges():
        pytest.skip("the kernel makes no bridges here")
    yield box
    for ident in box.ok("ps", "-aq").split():
        box("rm", "-f", ident)
    for name in box.ok("network", "ls", "-q", "-f", "type=custom").split():
        box("network", "rm", name)


def links():
    return set(os.listdir("/sys/class/net"))


def keepers(kogge):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if b"__keep" in words and str(kogge.run_root).encode() in words:
            found.append(int(entry))
    return found


def networks(kogge, *more):
    return kogge.ok("network", "ls", "--format", "{{.Name}}", *more).split()


def test_create_ls_inspect_rm(net):
    before = links()
    ident = net.ok("network", "create", "--label", "a=b", "-o", "com.docker.network.driver.mtu=1400", "one").strip()
    assert len(ident) == 64
    assert links() - before == {f"br-{ident[:12]}"}
    assert networks(net) == ["bridge", "host", "none", "one"]
    assert networks(net, "-f", "type=custom") == ["one"] and networks(net, "-f", "type=builtin") == ["bridge", "host", "none"]
    assert networks(net, "-f", "label=a=b") == ["one"] and networks(net, "-f", "driver=null") == ["none"]
    assert networks(net, "-f", "name=on", "-f", "dangling=true") == ["one"] and networks(net, "-f", f"id={ident[:12]}") == ["one"]
    net.ok("network", "create", "n10")
    net.ok("network", "create", "n9")
    assert networks(net, "-f", "name=n") == ["n9", "n10", "none", "one"], "not in the order of numbers"
    net.ok("network", "rm", "n9", "n10")
    assert net.ok("network", "ls").splitlines()[0].split() == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]
    one = json.loads(net.ok("network", "inspect", ident[:10]))[0]
    assert one["Name"] == "one" and one["Id"] == ident and one["Containers"] == {} and one["Labels"] == {"a": "b"}
    assert one["Options"] == {"com.docker.network.driver.mtu": "1400"} and len(one["IPAM"]["Config"]) == 1
    assert json.loads(net.ok("inspect", "--type", "network", "one"))[0] == one
    net.fails(1, "network", "create", "one", saying="network with name one already exists")
    net.fails(1, "network", "create", "bridge", saying="predefined")
    net.fails(1, "network", "rm", "bridge", saying="pre-defined network and cannot be removed")
    net.fails(1, "network", "inspect", "nope", saying="network nope not found")
    assert net.ok("network", "rm", "one") == "one\n"
    assert networks(net) == ["bridge", "host", "none"] and links() == before
    assert "0 damaged" in net.ok("system", "check")


@pytest.mark.parametrize("args, saying", [
    (["--subnet", "nonsense"], "invalid"),
    (["--subnet", "10.251.0.0/24", "--gateway", "10.252.0.1"], "no matching subnet for gateway 10.252.0.1"),
    (["--subnet", "10.251.0.0/24", "--ip-range", "10.252.0.0/25"], "no matching subnet for range 10.252.0.0/25"),
    (["--gateway", "10.251.0.1"], "every ip-range or gateway must have a corresponding subnet"),
    (["--subnet", "10.251.0.0/24", "--subnet", "10.251.0.0/16"], "overlapping"),
    (["--subnet", "10.251.0.0/32"], ""),
    (["-d", "nosuch"], 'plugin "nosuch" not found'),
    (["-o", "com.docker.network.bridge.name=../../x"], "is no name for an interface"),
    (["-o", "com.docker.network.bridge.enable_icc=perhaps"], "enable_icc"),
])
def test_N17_what_is_no_network_is_refused_and_leaves_nothing(net, args, saying):
    before = links()
    net.fails(1, "network", "create", *args, "bad", saying=saying)
    assert links() == before and networks(net, "-f", "type=custom") == []


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "../x", "-x", "*", "ä", "x" * 300])
def test_N14_names_that_are_none_are_refused(net, name):
    net.fails(1, "network", "create", "--", name, saying="name")
    assert networks(net, "-f", "type=custom") == []


def test_N17_addresses(net):
    net.ok("network", "create", "--subnet", "10.251.7.0/29", "--aux-address", "router=10.251.7.2", "small")
    net.fails(1, "network", "create", "--subnet", "10.251.0.0/16", "other", saying="overlaps")
    addresses = set()
    for i in range(4):
        net.ok("run", "-d", "--name", f"c{i}", "--network", "small", "busybox", "sleep", "1000")
        addresses.add(net.inspect(f"c{i}")["NetworkSettings"]["Networks"]["small"]["IPAddress"])
    assert addresses == {f"10.251.7.{i}" for i in (3, 4, 5, 6)}
    net.fails(125, "run", "--rm", "--network", "small", "busybox", "true", saying="no available IPv4 addresses")
    net.fails(125, "run", "--rm", "--network", "small", "--ip", "10.251.9.1", "busybox", "true", saying="10.251.9.1")
    net.fails(125, "run", "--rm", "--network", "small", "--ip", "10.251.7.4", "busybox", "true", saying="in use")
    net.ok("rm", "-f", "c1")
    out = net.ok("run", "--rm", "--network", "small", "--ip", "10.251.7.4", "busybox", "ip", "-4", "addr", "show", "eth0")
    assert "10.251.7.4/29" in out
    net.fails(1, "network", "rm", "small", saying="has active endpoints")
    net.ok("rm", "-f", "c0", "c2", "c3")


def test_a_port_whose_last_server_left_connections_behind_can_be_published(net):
    """The side that closes first keeps the connection for a minute (TIME_WAIT): no reason to refuse the port."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
        net.fails(125, "run", "--rm", "--network", "bridge", "-p", f"{port}:80", "busybox", "true", saying="in use")
    net.ok("run", "--rm", "--network", "bridge", "-p", f"{port}:80", "busybox", "true")


def test_ports(net):
    before = net.ok("network", "ls", "-q")
    net.ok("network", "create", "web")
    net.ok("run", "-d", "--name", "one", "--network", "web", "-p", "127.0.0.1:28081:80", "-p", "28090-28092:90-92/udp", "--expose", "99",
           "busybox", "sh", "-c", "echo hello > /index.html; exec httpd -f -p 80 -h /")
    ports = net.inspect("one")["NetworkSettings"]["Ports"]
    assert ports["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "28081"}] and ports["99/tcp"] is None
    assert net.ok("port", "one", "80") == "127.0.0.1:28081\n" and "91/udp -> 0.0.0.0:28091" in net.ok("port", "one")
    assert "127.0.0.1:28081->80/tcp, 0.0.0.0:28090-28092->90-92/udp, 99/tcp" in net.ok("ps")
    assert net.ok("ps", "-q", "--filter", "publish=28091/udp") != "" and net.ok("ps", "-q", "--filter", "publish=1") == ""
    until(lambda: net("exec", "one", "sh", "-c", "netstat -tln | grep -q :80").code == 0)
    with urllib.request.urlopen("http://127.0.0.1:28081/", timeout=10) as answer:
        assert answer.read() == b"hello\n"
    net.fails(125, "run", "--name", "two", "--network", "web", "-p", "28081:80", "busybox", "true", saying='container "one" has it')
    net.ok("rm", "two")
    net.ok("run", "--rm", "--network", "web", "-p", "127.0.0.2:28081:80", "busybox", "true")
    net.ok("run", "-d", "--name", "free", "--network", "web", "--expose", "80", "-P", "busybox", "sleep", "1000")
    assert 32768 <= int(net.ok("port", "free", "80").strip().rsplit(":", 1)[1]) <= 60999
    for bad in ("70000:80", "80:80/icmp", "1.2.3.4.5:1:1", "80-90:80-81", "x", "80:"):
        net.fails(125, "run", "--rm", "-p", bad, "busybox", "true")
    net.ok("rm", "-f", "one", "free")
    assert net.ok("network", "ls", "-q") != before


def test_a_port_of_another_program_is_not_taken(net):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        net.ok("network", "create", "web")
        net.fails(125, "run", "--rm", "--network", "web", "-p", f"{port}:80", "busybox", "true", saying=str(port))
    assert net.ok("ps", "-aq") == ""
    net.ok("run", "--rm", "--network", "web", "-p", f"{port}:80", "busybox", "true")


def test_files(net):
    net.ok("network", "create", "--subnet", "10.251.8.0/24", "user")
    out = net.ok("run", "--rm", "--network", "user", "--hostname", "h", "--add-host", "x:192.0.2.7", "--add-host",
                 "host.docker.internal:host-gateway", "busybox", "cat", "/etc/hosts", "/etc/resolv.conf")
    assert out.endswith("192.0.2.7\tx\n10.251.8.1\thost.docker.internal\n10.251.8.2\th\nnameserver 127.0.0.11\n" +
                        "".join(line for line in out.splitlines(True)[-2:] if line.startswith("search")) +
                        out.splitlines(True)[-1])
    assert "ndots:0" in out.splitlines()[-1]
    out = net.ok("run", "--rm", "--network", "bridge", "--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:3",
                 "busybox", "cat", "/etc/resolv.conf")
    assert out == "nameserver 192.0.2.53\nsearch example.org\noptions ndots:3\n"
    net.fails(125, "run", "--rm", "--dns", "nonsense", "busybox", "true", saying="nonsense")
    net.fails(125, "run", "--rm", "--network", "bridge", "--ip", "172.17.0.9", "busybox", "true", saying="user")
    net.fails(125, "run", "--rm", "--network", "nope", "busybox", "true", saying="network nope not found")


def test_names_of_a_network_and_not_of_others(net):
    net.ok("network", "create", "--subnet", "10.251.9.0/24", "a")
    net.ok("network", "create", "b")
    net.ok("run", "-d", "--name", "db", "--network", "name=a,alias=store,alias=both,ip=10.251.9.20", "busybox", "sleep", "1000")
    net.ok("run", "-d", "--name", "db2", "--network", "a", "--network-alias", "both", "busybox", "sleep", "1000")
    net.ok("run", "-d", "--name", "asker", "--network", "a", "busybox", "sleep", "1000")
    net.ok("run", "-d", "--name", "foreign", "--network", "b", "busybox", "sleep", "1000")
    for name in ("db", "store", "db.a", "DB", net.inspect("db")["Id"][:12]):
        assert "10.251.9.20" in net.ok("exec", "asker", "nslookup", "-type=a", name), name
    assert "name = db.a" in net.ok("exec", "asker", "nslookup", "10.251.9.20")
    both = net.ok("exec", "asker", "nslookup", "-type=a", "both")
    assert "10.251.9.20" in both and net.inspect("db2")["NetworkSettings"]["Networks"]["a"]["IPAddress"] in both
    first = {net.ok("exec", "asker", "nslookup", "-type=a", "both").split("Address:")[2].split()[0] for _ in range(8)}
    assert len(first) == 2, "they go round"
    for name in ("db", "store", "db.a"):
        assert "10.251.9.20" not in net("exec", "foreign", "nslookup", "-type=a", name).out
    assert "db" not in net("exec", "foreign", "nslookup", "10.251.9.20").out
    net.ok("network", "connect", "--alias", "extra", "b", "db")
    assert "Address" in net.ok("exec", "foreign", "nslookup", "-type=a", "extra").split("Name:")[1]
    # Nobody waits until the resolver has heard of an end.
    net.ok("network", "disconnect", "b", "db")
    until(lambda: "Name:" not in net("exec", "foreign", "nslookup", "-type=a", "extra").out)
    net.ok("rm", "-f", "db")
    until(lambda: "Name:" not in net("exec", "asker", "nslookup", "-type=a", "db").out)


def test_connect_and_disconnect(net):
    for name in ("a", "b"):
        net.ok("network", "create", name)
    net.ok("run", "-d", "--name", "cc", "--network", "a", "busybox", "sleep", "1000")
    net.ok("network", "connect", "b", "cc")
    assert sorted(net.inspect("cc")["NetworkSettings"]["Networks"]) == ["a", "b"]
    assert "eth1" in net.ok("exec", "cc", "ip", "link")
    net.fails(1, "network", "connect", "b", "cc", saying="already exists in network b")
    net.fails(1, "network", "connect", "host", "cc", saying="host network")
    net.ok("network", "disconnect", "a", "cc")
    route = net.ok("exec", "cc", "ip", "route")
    assert "default via" in route and "eth0" not in net.ok("exec", "cc", "ip", "link")
    net.fails(1, "network", "disconnect", "a", "cc", saying="is not connected to network a")
    assert json.loads(net.ok("network", "inspect", "b"))[0]["Containers"][net.inspect("cc")["Id"]]["Name"] == "cc"
    net.ok("stop", "-t", "0", "cc")
    assert net.inspect("cc")["NetworkSettings"]["Networks"]["b"]["IPAddress"] == ""
    net.ok("start", "cc")
    assert net.inspect("cc")["NetworkSettings"]["Networks"]["b"]["IPAddress"] != ""
    net.ok("rm", "-f", "cc")


def test_containers_of_one_network_namespace(net):
    net.ok("network", "create", "n")
    net.ok("run", "-d", "--name", "first", "--network", "n", "busybox", "sleep", "1000")
    address = net.inspect("first")["NetworkSettings"]["Networks"]["n"]["IPAddress"]
    assert address in net.ok("run", "--rm", "--network", "container:first", "busybox", "ip", "addr")
    net.fails(125, "run", "--rm", "--network", "container:first", "-p", "80:80", "busybox", "true", saying="conflicting options")


def test_restart_policy_connects_again(net):
    net.ok("network", "create", "n")
    net.ok("run", "-d", "--name", "again", "--network", "n", "--restart", "on-failure:2", "busybox", "sh", "-c",
           "ip -4 addr show eth0 | grep inet; exit 3")
    assert net.ok("wait", "again") == "3\n"
    assert net.ok("logs", "again").count("inet ") == 3
    assert json.loads(net.ok("network", "inspect", "n"))[0]["Containers"] == {}


def test_N15_what_was_killed_leaves_nothing(net):
    before = links()
    net.ok("network", "create", "n")
    during = links()
    net.ok("run", "-d", "--name", "cc", "--network", "n", "-p", "28085:80", "busybox", "sleep", "1000")
    pid = net.inspect("cc")["State"]["Pid"]
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        monitor = int(f.read().rsplit(")", 1)[1].split()[1])
    os.kill(monitor, signal.SIGKILL)
    until(lambda: net.ok("ps", "-q") == "")
    assert json.loads(net.ok("network", "inspect", "n"))[0]["Containers"] == {}
    until(lambda: links() == during)
    net.ok("run", "--rm", "--network", "n", "-p", "28085:80", "busybox", "true")
    net.ok("rm", "cc")
    assert "0 damaged" in net.ok("system", "check")
    net.ok("network", "rm", "n")
    until(lambda: not keepers(net))
    until(lambda: links() == before)


def test_the_resolver_and_its_keeper_may_die(net):
    net.ok("network", "create", "n")
    net.ok("run", "-d", "--name", "aa", "--network", "n", "busybox", "sleep", "1000")
    net.ok("run", "-d", "--name", "bb", "--network", "n", "busybox", "sleep", "1000")

    def resolves():
        return "Name:" in net("exec", "aa", "nslookup", "-type=a", "bb").out

    assert resolves()
    both = keepers(net)
    assert len(both) == 2
    os.kill(max(both), signal.SIGKILL)
    until(resolves)
    until(lambda: len(keepers(net)) == 2)
    for pid in keepers(net):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not keepers(net))
    net.ok("run", "--rm", "--network", "n", "busybox", "true")
    until(resolves)
    net.ok("rm", "-f", "aa", "bb")
    until(lambda: not keepers(net))


def test_N04_rules_that_somebody_flushed_come_back(net, need_tool):
    need_tool("nft")
    net.ok("network", "create", "n")
    unused = f"br-{net.ok('network', 'create', 'unused')[:12]}"
    net.ok("run", "-d", "--name", "web", "--network", "n", "-p", "127.0.0.1:28086:80", "busybox", "sleep", "1000")

    def rules():
        return subprocess.run(["nft", "list", "table", "inet", "kogge"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False).stdout

    before = rules()
    assert "28086" in before
    for family in ("inet", "bridge"):
        subprocess.run(["nft", "delete", "table", family, "kogge"], check=True)
    until(lambda: "28086" in rules(), seconds=5)
    subprocess.run(["nft", "flush", "chain", "inet", "kogge", "forward"], check=True)
    until(lambda: "@bridges goto from" in rules(), seconds=5)
    net.ok("run", "--rm", "--network", "unused", "busybox", "true")
    assert sorted(rules().replace(",", "").split()) == sorted(before.replace(",", "").split()) and unused in before
    net.ok("rm", "-f", "web")
    net.ok("network", "rm", "n", "unused")


def frames(link):
    """A socket that sees every frame on LINK."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((link, 0))
    sock.setblocking(False)
    return sock


def until_frame(sock, wanted):
    """Whether a frame of which WANTED(frame) holds comes."""
    def look():
        try:
            return wanted(sock.recv(2048))
        except BlockingIOError:
            return False
    return until(look)


def test_N16_a_container_with_an_address_of_another_one_announces_it(net):
    ident = net.ok("network", "create", "--subnet", "10.251.11.0/24", "--ipv6", "--subnet", "fd00:251::/64", "n")
    where = ["--network", "name=n,ip=10.251.11.7,ip6=fd00:251::7"]
    net.ok("run", "--rm", *where, "busybox", "true")
    ip4, ip6 = socket.inet_aton("10.251.11.7"), socket.inet_pton(socket.AF_INET6, "fd00:251::7")
    for mac in ("02:00:00:00:00:71", "02:00:00:00:00:72"):
        raw = bytes.fromhex(mac.replace(":", ""))
        with frames(f"br-{ident[:12]}") as sock, frames(f"br-{ident[:12]}") as sock6:
            net.ok("run", "-d", "--name", "cc", *where, "--mac-address", mac, "busybox", "sleep", "1000")
            # ARP: sender and target are the address. ICMPv6: an advertisement (136) of the address.
            assert until_frame(sock, lambda f: f[12:14] == b"\x08\x06" and f[22:28] == raw and f[28:32] == f[38:42] == ip4)
            assert until_frame(sock6, lambda f: f[6:12] == raw and f[12:14] == b"\x86\xdd" and f[54:55] == b"\x88" and f[62:78] == ip6)
        net.ok("rm", "-f", "cc")
    net.ok("network", "rm", "n")


class Asked(list):
    """The datagrams that came, and from where."""

    def __init__(self):
        super().__init__()
        self.peers = []

    @staticmethod
    def answers(question):
        """What is sent back: there is no such name."""
        return [question[:2] + b"\x81\x83" + question[4:]]


@pytest.fixture
def name_server(scratch):
    """The host's resolver for this test, as its resolv.conf says."""
    asked = Asked()
    if not os.path.exists("/etc/resolv.conf"):
        pytest.skip("no /etc/resolv.conf to stand in for")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind(("127.0.0.99", 53))
    except OSError:
        sock.close()
        pytest.skip("something has port 53 of 127.0.0.99")
    (scratch / "resolv.conf").write_text("nameserver 127.0.0.99\n")
    subprocess.run(["mount", "--bind", scratch / "resolv.conf", os.path.realpath("/etc/resolv.conf")], check=True)

    def serve():
        while True:
            data, peer = sock.recvfrom(4096)
            if not data:
                return
            asked.append(data)
            asked.peers.append(peer)
            for answer in asked.answers(data):
                sock.sendto(answer, peer)
    thread = threading.Thread(target=serve)
    thread.start()
    yield asked
    subprocess.run(["umount", os.path.realpath("/etc/resolv.conf")], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"", ("127.0.0.99", 53))
    thread.join()
    sock.close()


def test_N06_questions_of_an_internal_network_do_not_leave_it(name_server, net):
    for name, more in (("inside", ["--internal"]), ("outside", [])):
        net.ok("network", "create", *more, name)
        net.ok("run", "-d", "--name", f"on-{name}", "--network", name, "busybox", "sleep", "1000")
        assert "Name:" not in net("exec", f"on-{name}", "nslookup", "-type=a", f"secret.{name}.example").out
        assert "Address" in net.ok("exec", f"on-{name}", "nslookup", "-type=a", f"on-{name}").split("Name:")[1]
    assert any(b"\x07outside\x07example" in q for q in name_server), "the host's resolver is asked by others"
    assert not any(b"inside" in q for q in name_server)


def test_a_port_that_nobody_would_reach_is_not_published(net):
    net.fails(125, "run", "--rm", "--network", "bridge", "-p", "[::1]:28087:80", "busybox", "true", saying="[::1]")
    net.ok("run", "--rm", "--network", "bridge", "-p", "127.0.0.1:28087:80", "busybox", "true")


def mirror_is_reachable():
    """Whether this machine itself reaches a mirror of Debian's packages without a proxy."""
    if any(os.environ.get(name) for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")):
        return False
    try:
        with urllib.request.urlopen("http://deb.debian.org/debian/dists/bookworm/Release", timeout=10) as answer:
            return answer.read(7) == b"Origin:"
    except OSError:
        return False


APT = "apt-get -q -o Acquire::Retries=3"
INSTALL = f"{APT} update && {APT} install -y --no-install-recommends hello && hello"


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.timeout(420)
@pytest.mark.parametrize("how", ["run", "build"])
def test_a_debian_installs_a_package_over_the_default_network(debian_kogge, scratch, how):
    if program.SANITIZED or not can_make_bridges() or not mirror_is_reachable():
        pytest.skip("no bridges, no mirror, or sanitizers")
    if how == "run":
        out = debian_kogge.ok("run", "--rm", "--network", "default", "debian", "sh", "-c", INSTALL, timeout=300)
        assert out.endswith("Hello, world!\n")
        return
    (scratch / "Dockerfile").write_text(f"FROM debian\nRUN {INSTALL}\n")
    try:
        debian_kogge.ok("build", "--network", "default", "-t", "hello", scratch, timeout=300)
        assert debian_kogge.ok("run", "--rm", "hello", "hello") == "Hello, world!\n"
    finally:
        debian_kogge("rmi", "hello")


def test_the_default_network(net):
    """Who says nothing of networks is on `bridge`, as with Docker."""
    net.network = None
    net.ok("run", "-d", "--name", "aa", "busybox", "sleep", "1000")
    aa = net.inspect("aa")
    assert aa["HostConfig"]["NetworkMode"] == "bridge" and list(aa["NetworkSettings"]["Networks"]) == ["bridge"]
    ip = aa["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    assert net.ok("run", "--rm", "busybox", "ping", "-c", "1", "-W", "5", ip)
    net.ok("create", "--name", "bb", "busybox", "ip", "-o", "-4", "addr", "show", "eth0")
    assert "inet " in net.ok("start", "-a", "bb")
    on = json.loads(net.ok("network", "inspect", "bridge"))[0]["Containers"]
    assert [c["Name"] for c in on.values()] == ["aa"]
    net.ok("rm", "-f", "aa", "bb")
    until(lambda: not keepers(net))


def test_steps_of_a_build_are_on_the_default_network(net, scratch):
    net.network = None
    context = scratch / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\nRUN ip -o -4 addr show eth0 > /one; cat /etc/resolv.conf > /dns\n"
                                        "RUN --network=none ls /sys/class/net > /two\n")
    net.ok("build", "-t", "made", context)
    one, dns, two = (net.ok("run", "--rm", "--network", "none", "made", "cat", f"/{name}") for name in ("one", "dns", "two"))
    assert " inet " in one and "nameserver" in dns and two == "lo\n"
    (context / "Dockerfile").write_text("FROM busybox\nRUN ls /sys/class/net > /two\n")
    net.ok("build", "--network", "none", "-t", "made", context)
    assert net.ok("run", "--rm", "--network", "none", "made", "cat", "/two") == "lo\n"
    until(lambda: not keepers(net))
    assert "0 damaged, 0 unused" in net.ok("system", "check")


def test_steps_of_a_build_are_on_the_network_that_is_named(net, scratch):
    """And find its containers by their names, while nobody finds them."""
    net.network = None
    context = scratch / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\nRUN nslookup -type=a web > /web; cat /etc/resolv.conf > /dns; ip -o -4 addr > /ip\n")
    net.ok("network", "create", "--subnet", "10.251.17.0/24", "n")
    net.ok("run", "-d", "--name", "web", "--network", "name=n,ip=10.251.17.9", "busybox", "sleep", "1000")
    net.ok("build", "--network", "n", "-t", "made", context)
    web, dns, ip = (net.ok("run", "--rm", "--network", "none", "made", "cat", f"/{name}") for name in ("web", "dns", "ip"))
    assert "10.251.17.9" in web and "nameserver 127.0.0.11" in dns and "inet 10.251.17." in ip
    net.fails(1, "build", "--network", "missing", context, saying="network missing not found")
    net.ok("rm", "-f", "web")
    net.ok("network", "rm", "n")


@pytest.mark.parametrize("keeper_too", [False, True])
def test_N15_a_build_that_was_killed_leaves_no_address(net, scratch, keeper_too):
    before = links()
    net.network = None
    context = scratch / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\nRUN ip -o -4 addr show eth0; echo up; sleep 1000\n")
    build = net.popen("build", "--progress", "plain", "-t", "made", context, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in build.stderr:
        if line.endswith(b" up\n"):
            break
    assert json.loads(net.ok("network", "inspect", "bridge"))[0]["Containers"] == {} and "0 damaged" in net.ok("system", "check")
    if keeper_too:
        for pid in keepers(net):
            os.kill(pid, signal.SIGKILL)
    build.kill()
    build.wait()
    build.stderr.close()
    if keeper_too:  # the next one ends it
        net.ok("run", "--rm", "busybox", "true")
    until(lambda: not keepers(net))
    until(lambda: links() == before)
    assert "0 damaged, 0 unused" in net.ok("system", "check")


def test_prune(net):
    for name in ("used", "free", "labelled"):
        net.ok("network", "create", *(["--label", "keep"] if name == "labelled" else []), name)
    net.ok("create", "--name", "cc", "--network", "used", "busybox", "true")
    assert net.ok("network", "prune", "-f", "--filter", "label!=keep") == "Deleted Networks:\nfree\n\n"
    assert "Deleted Networks:\nlabelled\n" in net.ok("system", "prune", "-f", "--filter", "label=keep")
    assert networks(net, "-f", "type=custom") == ["used"]
    net.ok("rm", "cc")


def test_events(net):
    net.ok("network", "create", "n")
    net.ok("run", "--rm", "--network", "n", "busybox", "true")
    net.ok("network", "rm", "n")
    out = net.ok("events", "--since", "1h", "--until", "0s", "--filter", "type=network", "--format", "{{.Action}} {{.Actor.Attributes.name}}")
    assert out.splitlines() == ["create n", "connect n", "disconnect n", "destroy n"]


@pytest.mark.needs_docker
def test_network_verbs_say_what_docker_says(kogge, docker):
    cases = [["inspect", "nope"], ["rm", "nope"], ["ls", "--filter", "nosuch=1"], ["create", "bridge"], ["rm", "bridge"],
             ["create", "--gateway", "1.2.3.4", "x"], ["create"], ["connect", "x"], ["ls", "--filter", "type=nosuch"]]
    for case in cases:
        ours, theirs = kogge("network", *case), docker("network", *case)
        assert ours.code == theirs.code, f"{case}: {ours} {theirs}"
        if theirs.code == 0:
            assert ours.out == theirs.out
    theirs = json.loads(docker.ok("network", "inspect", "none"))[0]
    ours = json.loads(kogge.ok("network", "inspect", "none"))[0]
    for key, value in theirs.items():
        if key in ("Id", "Created", "IPAM"):
            assert key in ours
        else:
            assert ours[key] == value, key
    head = [p.ok("network", "ls").splitlines()[0] for p in (kogge, docker)]
    assert head[0] == head[1]
