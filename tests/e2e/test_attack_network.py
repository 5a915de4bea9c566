# SPDX-License-Identifier: Apache-2.0
"""Containers that attack their network: each other, the host and its loopback. The attacker is a process of the host's root in the
container's network namespace, which can send whatever a container could with all capabilities.

Whether nothing came is told without waiting: a packet that must arrive is sent after the hostile ones, over the same way."""
import contextlib
import ctypes
import fcntl
import ipaddress
import os
import signal
import socket
import struct

import pytest

from harness.waiting import until
from test_network_verbs import keepers, name_server, net  # noqa: F401  (fixtures)

pytestmark = pytest.mark.needs_root

CLONE_NEWNET, SIOCGIFHWADDR = 0x40000000, 0x8927
PORT, HOST_PORT = 5000, 28188
SECONDS = 20
FENCE = b"the fence"
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def network_of(pid):
    """This thread's network is that of PID."""
    with open("/proc/thread-self/ns/net", encoding="ascii") as home, open(f"/proc/{pid}/ns/net", encoding="ascii") as there:
        assert _libc.setns(there.fileno(), CLONE_NEWNET) == 0, ctypes.get_errno()
        try:
            yield
        finally:
            assert _libc.setns(home.fileno(), CLONE_NEWNET) == 0, ctypes.get_errno()


class Box:
    """A container: its addresses, and sockets in its network."""

    def __init__(self, kogge, name, network, *more):
        kogge.ok("run", "-d", "--name", name, "--network", network, *more, "busybox", "sleep", "1000")
        found = kogge.inspect(name)
        at = found["NetworkSettings"]["Networks"][network]
        self.name, self.pid = name, found["State"]["Pid"]
        self.ip, self.ip6, self.mac = at["IPAddress"], at["GlobalIPv6Address"], bytes.fromhex(at["MacAddress"].replace(":", ""))
        self.gateway, self.gateway6 = at["Gateway"], at["IPv6Gateway"]
        self.open = []

    def socket(self, *kind):
        with network_of(self.pid):
            sock = socket.socket(*kind)
        sock.settimeout(SECONDS)
        self.open.append(sock)
        return sock

    def listen(self, port=PORT):
        sock = self.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", port))
        return sock

    def send(self, data, to, port=PORT):
        sock = self.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):  # refused is as good as lost
            sock.sendto(data, (to, port))

    def frames(self):
        sock = self.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.bind(("eth0", 0))
        return sock


@pytest.fixture
def boxes(net):  # noqa: F811
    made = []

    def make(*args):
        made.append(Box(net, *args))
        return made[-1]
    yield make
    for box in made:
        for sock in box.open:
            sock.close()


def from_host(data, to, port=PORT):
    with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(data, (to, port))


def came_before_fence(sock):
    """What SOCK got before the fence."""
    seen = []
    while True:
        data = sock.recv(4096)
        if FENCE in data:
            return seen
        seen.append(data)


def test_N05_containers_do_not_reach_other_and_internal_networks(net, boxes):  # noqa: F811
    net.ok("network", "create", "--ipv6", "a")
    net.ok("network", "create", "--ipv6", "b")
    net.ok("network", "create", "--ipv6", "--internal", "shut")
    net.ok("network", "create", "--ipv6", "-o", "com.docker.network.bridge.enable_icc=false", "quiet")
    a, b, b2 = boxes("a1", "a"), boxes("b1", "b"), boxes("b2", "b")
    shut, shut2, quiet, quiet2 = boxes("s1", "shut"), boxes("s2", "shut"), boxes("q1", "quiet"), boxes("q2", "quiet")
    for victim, attackers, fence in ((b, (a, shut, quiet), b2.send), (shut, (a, quiet), shut2.send), (quiet, (a, shut, quiet2), from_host)):
        sock = victim.listen()
        for address in (victim.ip, victim.ip6):
            for attacker in attackers:
                attacker.send(f"{attacker.name} reached {victim.name}".encode(), address)
            fence(FENCE, address)
            assert came_before_fence(sock) == []
    # An internal network sees its own gateway's address of the host, and none of another network.
    gateways = net.inspect("b1")["NetworkSettings"]["Networks"]["b"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((gateways["Gateway"], HOST_PORT))
        sock.settimeout(SECONDS)
        shut.send(b"the internal one got out", gateways["Gateway"], HOST_PORT)
        a.send(FENCE, gateways["Gateway"], HOST_PORT)
        assert came_before_fence(sock) == []


# ---- frames ----

EVERYBODY, ROUTERS6 = b"\xff" * 6, b"\x33\x33\0\0\0\1"
ROUTER_PREFIX = "fd660bad"  # as /proc/net/if_inet6 writes it
OTHER_MAC = b"\x02\x42\x01\x02\x03\x04"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2 + len(data) % 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(source, to, data, ports=(PORT, PORT)):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(to))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return head + struct.pack("!HHHH", *ports, 8 + len(data), 0) + data


def ip6(source, to, protocol, data):
    ends = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(to).packed
    at = 2 if protocol == socket.IPPROTO_ICMPV6 else 6
    total = checksum(ends + struct.pack("!II", len(data), protocol) + data)
    return struct.pack("!IHBB", 6 << 28, len(data), protocol, 255) + ends + data[:at] + struct.pack("!H", total) + data[at + 2:]


def udp6(source, to, data, ports=(PORT, PORT)):
    return ip6(source, to, socket.IPPROTO_UDP, struct.pack("!HHHH", *ports, 8 + len(data), 0) + data)


def arp(kind, mac, address, target):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, kind, mac, socket.inet_aton(address), b"\0" * 6, socket.inet_aton(target))


def advertised_router(mac):
    prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 86400, 0, bytes.fromhex(ROUTER_PREFIX) + b"\0" * 12)
    return struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"\1\1" + mac + prefix


def advertised_neighbour(mac, address):
    return struct.pack("!BBHI16s", 136, 0, 0, 0x20000000, ipaddress.IPv6Address(address).packed) + b"\2\1" + mac


def link_local(mac):
    return str(ipaddress.IPv6Address(b"\xfe\x80" + b"\0" * 6 + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]))


def ether(source, kind, data, to=EVERYBODY):
    return to + source + kind + data


def forged(box, other):
    """{what it is: the frame}: what a container must not say."""
    ip4, ip_6, icmp6, own6 = b"\x08\0", b"\x86\xdd", socket.IPPROTO_ICMPV6, link_local(box.mac)
    return {
        "another IPv4 address": ether(box.mac, ip4, udp4(other.ip, "255.255.255.255", b"forged")),
        "the gateway's IPv4 address": ether(box.mac, ip4, udp4(box.gateway, "255.255.255.255", b"forged")),
        "an address of nobody": ether(box.mac, ip4, udp4("203.0.113.9", "255.255.255.255", b"forged")),
        "another IPv6 address": ether(box.mac, ip_6, udp6(other.ip6, "ff02::1", b"forged"), ROUTERS6),
        "another MAC address": ether(other.mac, ip4, udp4(box.ip, "255.255.255.255", b"forged")),
        "a MAC address of nobody": ether(OTHER_MAC, ip4, udp4(box.ip, "255.255.255.255", b"forged")),
        "ARP: I am the gateway": ether(box.mac, b"\x08\x06", arp(2, box.mac, box.gateway, other.ip)),
        "ARP: I am another one": ether(box.mac, b"\x08\x06", arp(1, box.mac, other.ip, other.ip)),
        "ARP for another MAC address": ether(box.mac, b"\x08\x06", arp(2, OTHER_MAC, box.ip, other.ip)),
        "a neighbour's address": ether(box.mac, ip_6, ip6(box.ip6, "ff02::1", icmp6, advertised_neighbour(box.mac, other.ip6)), ROUTERS6),
        "the gateway's, as neighbour": ether(box.mac, ip_6, ip6(own6, "ff02::1", icmp6, advertised_neighbour(box.mac, box.gateway6)),
                                             ROUTERS6),
        "a DHCP server": ether(box.mac, ip4, udp4(box.ip, "255.255.255.255", b"forged", (67, 68))),
        "a DHCPv6 server": ether(box.mac, ip_6, udp6(box.ip6, "ff02::1", b"forged", (547, 546)), ROUTERS6),
        "a bridge's BPDU": ether(box.mac, b"\0\x26", b"\x42\x42\x03" + b"\0" * 40, b"\x01\x80\xc2\0\0\0"),
        "a VLAN's tag": ether(box.mac, b"\x81\0", b"\0\x05" + ip4 + udp4(box.ip, "255.255.255.255", b"forged")),
        "a router": ether(box.mac, ip_6, ip6(own6, "ff02::1", icmp6, advertised_router(box.mac)), ROUTERS6),
    }


def mac_of(link):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return fcntl.ioctl(sock, SIOCGIFHWADDR, struct.pack("256s", link.encode()))[18:24]


def host_addresses():
    with open("/proc/net/if_inet6", encoding="ascii") as f:
        return f.read()


def test_N07_N08_forged_frames_do_not_leave_a_container(net, boxes):  # noqa: F811
    net.ok("network", "create", "--ipv6", "n")
    attacker, other = boxes("c1", "n"), boxes("c2", "n")
    out, seen = attacker.frames(), other.frames()
    for what, frame in forged(attacker, other).items():
        out.send(frame)
        out.send(ether(attacker.mac, b"\x08\0", udp4(attacker.ip, "255.255.255.255", FENCE)))
        came = came_before_fence(seen)
        assert not any(f[12:] == frame[12:] or b"forged" in f for f in came), what
    assert ROUTER_PREFIX not in host_addresses()


def test_N07_without_ipv6_there_is_none(net, boxes):  # noqa: F811
    """And without the right to it a container makes no frames (N08)."""
    net.ok("network", "create", "n")
    box = boxes("c1", "n", "--cap-drop", "NET_RAW")
    assert "eth0" not in net.ok("exec", "c1", "cat", "/proc/net/if_inet6")
    ident = net.ok("network", "ls", "-q", "-f", "name=n")
    assert f"br-{ident[:12]}" not in host_addresses()
    result = net("exec", "c1", "arping", "-c", "1", "-w", "1", "-I", "eth0", box.gateway)
    assert result.code != 0 and "not permitted" in result.err, str(result)


def test_N09_the_hosts_loopback_is_not_reached_from_a_container(net, boxes):  # noqa: F811
    """Not what listens on it, and not what another container publishes there."""
    net.ok("network", "create", "n")
    attacker, web = boxes("c1", "n"), boxes("web", "n", "-p", f"127.0.0.1:{HOST_PORT}:{PORT}/udp")
    published, out = web.listen(), attacker.frames()
    bridge = mac_of(f"br-{net.ok('network', 'ls', '-q', '-f', 'name=n')[:12]}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as public:
        loopback.bind(("127.0.0.1", HOST_PORT + 1))
        loopback.setblocking(False)
        public.bind((attacker.gateway, HOST_PORT + 2))
        public.settimeout(SECONDS)
        for to in ("127.0.0.1", "127.0.0.2"):
            for port in (HOST_PORT, HOST_PORT + 1):
                out.send(ether(attacker.mac, b"\x08\0", udp4(attacker.ip, to, b"forged", (PORT, port)), bridge))
        attacker.send(FENCE, attacker.gateway, HOST_PORT + 2)
        assert came_before_fence(public) == []
        with pytest.raises(BlockingIOError):
            loopback.recv(100)
        from_host(FENCE, "127.0.0.1", HOST_PORT)
        assert came_before_fence(published) == []


# ---- names ----

TRUE, FORGED = "192.0.2.7", "192.0.2.66"
LOOKUPS = 6


def answer_of(question, address, ident=None):
    """An answer to QUESTION, without what came behind its name and type."""
    end = question.index(b"\0", 12) + 5
    return (ident or question[:2]) + b"\x81\x80\0\1\0\1\0\0\0\0" + question[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton(address)


def forged_answers(question):
    """What an attacker might send before the true answer arrives."""
    forged = answer_of(question, FORGED)
    return [
        answer_of(question, FORGED, bytes([question[0] ^ 1, question[1]])),  # another ID
        forged[:2] + b"\1\0" + forged[4:],  # no answer at all
        forged.replace(b"example", b"exbmple"),  # to another question
        forged[:2] + b"\x81\x80\0\1\0\1\0\0\0\0\xc0\x0c" + forged[-16:],  # a name that points to itself
        question[:3], b"\0" * 12, answer_of(question, TRUE)]


def test_N10_forged_answers_are_not_believed_and_odd_questions_break_nothing(name_server, net, boxes):  # noqa: F811
    name_server.answers = forged_answers
    net.ok("network", "create", "n")
    net.ok("network", "create", "other")
    box, hidden = boxes("c1", "n"), boxes("hidden", "other")
    for odd in (b"", b"\0", b"\0" * 12, b"ab\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", b"ab\1\0\xff\xff" + b"\0" * 6 + b"\x3f" * 4000, b"\xff" * 60000):
        box.send(odd, "127.0.0.11", 53)
    for i in range(LOOKUPS):
        out = net.ok("exec", "c1", "nslookup", "-type=a", f"name{i}.example")
        assert TRUE in out and FORGED not in out
    # Whoever forges has to guess both.
    asked = [(q[:2], peer[1]) for q, peer in zip(name_server, name_server.peers) if b"\7example" in q]
    assert len({ident for ident, _ in asked}) > LOOKUPS // 2 and len({port for _, port in asked}) > LOOKUPS // 2, asked
    # The addresses of other networks have no names here.
    name_server.answers = type(name_server).answers
    assert "c1" in net("exec", "c1", "nslookup", box.ip).out.split("name =", 1)[1]
    assert "hidden" not in net("exec", "c1", "nslookup", hidden.ip).out


# ---- ports and flows ----


def test_N11_one_port_on_several_addresses_of_loopback(net, boxes):  # noqa: F811
    net.ok("network", "create", "n")
    first = boxes("c1", "n", "-p", f"127.0.0.1:{HOST_PORT}:{PORT}/udp").listen()
    second = boxes("c2", "n", "-p", f"127.0.0.2:{HOST_PORT}:{PORT}/udp").listen()
    for address in ("127.0.0.1:", "127.0.0.2:"):
        net.fails(125, "run", "--rm", "--network", "n", "-p", f"{address}{HOST_PORT}:{PORT}/udp", "busybox", "true", saying="allocated")
    from_host(b"to the first", "127.0.0.1", HOST_PORT)
    from_host(b"to the second", "127.0.0.2", HOST_PORT)
    assert (first.recv(100), second.recv(100)) == (b"to the first", b"to the second")


def test_N13_connections_survive_the_keeper_and_datagrams_follow_the_port(net, boxes):  # noqa: F811
    net.ok("network", "create", "n")
    publish = ["-p", f"127.0.0.1:{HOST_PORT}:{PORT}/tcp", "-p", f"127.0.0.1:{HOST_PORT}:{PORT}/udp"]
    web = boxes("c1", "n", *publish)
    server = web.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("0.0.0.0", PORT))
    server.listen()
    with socket.create_connection(("127.0.0.1", HOST_PORT), SECONDS) as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client_udp:
        end, _ = server.accept()
        end.settimeout(SECONDS)
        sock = web.listen()
        client_udp.connect(("127.0.0.1", HOST_PORT))
        client_udp.send(b"one")
        assert sock.recv(100) == b"one"
        for pid in keepers(net):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not keepers(net), "the keeper's end")
        client.send(b"still here")
        assert end.recv(100) == b"still here"
        end.send(b"and back")
        assert client.recv(100) == b"and back"
        end.close()
        # From the same port of the client to another container that has the port now.
        net.ok("rm", "-f", "c1")
        boxes("c2", "n")
        sock = boxes("c3", "n", *publish).listen()
        client_udp.send(b"two")
        assert sock.recv(100) == b"two"
