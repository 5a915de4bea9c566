#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of networks (make bench runs it after bench.py):

    tests/bench/network.py [--build DIR] [--rounds N] [--many N] [--seconds N] [--json FILE]

All of it happens in a network namespace of its own, where Docker and Podman may set their bridges and rules as they do on a host
of their own. Another namespace is the host from which clients come. Start times take turns, as in bench.py; throughput is that of
iperf3, connections are those of wrk against nginx."""
import argparse
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

CLONE_NEWNET = 0x40000000
CLIENT = "198.51.100.2"  # TEST-NET-2: the client's host
HOST = "198.51.100.1"
MANY_PORT = 20000


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


class Outside:
    """A host beside this one: a process holds its namespace, a pair leads to it."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.enter = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"]
        ip("link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", str(self.process.pid))
        ip("addr", "add", f"{HOST}/24", "dev", "outside")
        ip("link", "set", "outside", "up")
        ip("route", "add", "default", "via", CLIENT)
        for words in (["link", "set", "lo", "up"], ["addr", "add", f"{CLIENT}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            subprocess.run([*self.enter, "ip", *words], check=True)

    def close(self):
        self.process.kill()
        self.process.wait()


def own_network():
    """From here on this process and its children have a network of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "a network namespace for the bench")
    ip("link", "set", "lo", "up")


def start_peers(folder, tar, notes):
    import peers

    class Docker(peers.Docker):
        """With its default bridge and its rules, as it is installed."""

        def __init__(self, folder):
            (folder / "docker").mkdir()
            self.daemon = peers.docker_harness.Docker(folder / "docker", network=True).wait()
    found = []
    for kind in (peers.Kogge, Docker, peers.Podman):
        peer = None
        try:
            peer = kind(folder)
            peer.network = None
            peer.prepare(tar)
            found.append(peer)
        except (RuntimeError, AssertionError, OSError) as e:
            notes.append(f"{kind.name} left out: {str(e).strip()[-300:]}")
            if peer:
                peer.close()
    return found


def call(peer, *args):
    from peers import must
    return must(*peer.command(*args)).out


def default_bridge(peer):
    return "podman" if peer.name == "podman" else "bridge"


def bench_start(bench, peers, rounds):
    from bench import percentile
    from peers import IMAGE
    title = "run --rm true on the bridge"
    bench.work(title, {p.name: lambda s, keep, p=p: bench.timed(
        s, p.command("run", "--rm", "--network", default_bridge(p), IMAGE, "true"), keep=keep) for p in peers}, rounds)
    for other in ("docker", "podman"):
        bench.goal(title, "kogge", other, 1 / 30)
    ours = bench.works[title].get("kogge")
    if ours:
        ratio = percentile(ours.ms, 99) / ours.median
        bench.check(f"{title}: p99 / median", ratio <= 3, f"{ratio:.2f}, goal 3")


def bench_alone(bench, peers, rounds):
    """Without slow peers between, beside the same without a network: what the network costs."""
    from peers import IMAGE
    title = "run on the bridge, none"
    p = next(p for p in peers if p.name == "kogge")
    bench.work(title, {n: lambda s, keep, n=n: bench.timed(s, p.command("run", "--rm", "--network", n, IMAGE, "true"), keep=keep)
                       for n in ("bridge", "none")}, 3 * rounds)


def start_many(peer, n):
    from peers import IMAGE
    left, failed = list(range(n)), []

    def work():
        while left and not failed:
            try:
                i = left.pop()
                call(peer, "run", "-d", "--name", f"many-{i}", "--network", "bridge", "-p", f"{MANY_PORT + i}:80", IMAGE,
                     "sleep", "100000")
            except IndexError:
                return
            except RuntimeError as e:
                failed.append(e)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def bench_many(bench, peers, rounds, many):
    """A start with MANY containers and ports beside it, and without."""
    from peers import IMAGE
    kogge = next(p for p in peers if p.name == "kogge")
    medians = []
    for n in (0, many):
        start_many(kogge, n)
        title = f"run -p beside {n} containers"
        samples = bench.work(title, {"kogge": lambda s, keep: bench.timed(
            s, kogge.command("run", "--rm", "--network", "bridge", "-p", "19999:80", IMAGE, "true"), keep=keep)}, 3 * rounds)
        medians.append(samples["kogge"].median)
    names = [f"many-{i}" for i in range(many)]
    for i in range(0, many, 50):
        call(kogge, "rm", "-f", *names[i:i + 50])
    ratio = medians[1] / medians[0]
    bench.check(f"start beside {many} containers and ports / beside none", ratio <= 1.3, f"{ratio:.2f}, goal 1.3")


# ---- packets ----

NGINX = """user root root; daemon off; worker_processes 2; pid /tmp/nginx.pid; error_log /dev/null;
events { worker_connections 4096; }
http { access_log off; keepalive_timeout 0; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s; server { listen 8080; location / { return 200 ok; } } }
"""


def address_of(peer, name):
    found = json.loads(call(peer, "inspect", name))[0]["NetworkSettings"]["Networks"]
    return next(iter(found.values()))["IPAddress"]


class Traffic:
    """One peer's containers: servers with published ports, and a client. They run the host's programs."""

    def __init__(self, peer, outside, seconds, folder):
        self.peer, self.outside, self.seconds = peer, outside, seconds
        self.mounts = ["-v", f"{folder}:/mnt:ro"]
        for path in ("/usr", "/lib", "/lib64"):
            if os.path.isdir(path):
                self.mounts += ["-v", f"{os.path.realpath(path)}:{path}:ro"]

    def start(self, name, words, port=0):
        from peers import IMAGE
        publish = ["-p", f"{port}:{port}"] if port else []
        call(self.peer, "run", "-d", "--name", name, "--network", default_bridge(self.peer), "--tmpfs", "/tmp", *self.mounts, *publish,
             IMAGE, *words)

    def bits(self, prefix, address):
        """Gigabits per second from ADDRESS's iperf3, as the receiver counts them."""
        out = self.said([*prefix, "/usr/bin/iperf3", "-J", "-c", address, "-t", str(self.seconds)])
        return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e9

    def connections(self, prefix, address):
        """Connections per second: the server closes each after its answer."""
        out = self.said([*prefix, "/usr/bin/wrk", "-t", "2", "-c", "32", "-d", f"{self.seconds}s", f"http://{address}:8080/"])
        return float(next(line.split(":")[1] for line in out.splitlines() if line.startswith("Requests/sec")))

    @staticmethod
    def said(words):
        from peers import must
        return must(*words).out

    def measure(self, keep):
        inside = [str(a) for a in self.peer.command("exec", "client")]
        try:
            self.start("server", ["/usr/bin/iperf3", "-s"], 5201)
            self.start("web", ["/usr/sbin/nginx", "-e", "/dev/null", "-c", "/mnt/nginx.conf"], 8080)
            self.start("client", ["sleep", "100000"])
            server, web = address_of(self.peer, "server"), address_of(self.peer, "web")
            keep("Gbit/s between containers", self.bits(inside, server))
            keep("Gbit/s to a published port from outside", self.bits(self.outside.enter, HOST))
            keep("Gbit/s to a published port on loopback", self.bits([], "127.0.0.1"))
            keep("connections/s between containers", self.connections(inside, web))
            keep("connections/s to a published port from outside", self.connections(self.outside.enter, HOST))
            keep("connections/s to a published port on loopback", self.connections([], "127.0.0.1"))
        finally:
            for name in ("server", "web", "client"):
                subprocess.run([str(a) for a in self.peer.command("rm", "-f", name)], check=False, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)


def bench_traffic(bench, peers, outside, seconds, folder):
    """Each peer three times, in turns; the best of each counts, since others can only make it worse."""
    (folder / "nginx.conf").write_text(NGINX)
    best, left = {}, [p for p in peers if p.name in ("kogge", "docker")]
    for _ in range(3):
        for p in list(left):
            def keep(title, value, name=p.name):
                values = best.setdefault(title, {})
                values[name] = max(values.get(name, 0), value)
            try:
                Traffic(p, outside, seconds, folder).measure(keep)
            except (RuntimeError, ValueError, KeyError, StopIteration) as e:
                bench.notes.append(f"traffic: {p.name} left out: {str(e).strip()[-300:]}")
                left.remove(p)
    for title, values in best.items():
        print(f"{title:<50} " + "  ".join(f"{n} {v:.1f}" for n, v in values.items()), flush=True)
        if len(values) == 2:
            # Two runs of the same differ by as much.
            bench.check(f"{title}: kogge / docker", values["kogge"] >= 0.95 * values["docker"],
                        f"{values['kogge']:.1f} / {values['docker']:.1f}, goal at least as much, less 5 % of noise")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--rounds", default=20, type=int)
    parser.add_argument("--many", default=500, type=int)
    parser.add_argument("--seconds", default=3, type=int)
    parser.add_argument("--only", default="start,alone,traffic,many")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    os.environ["KOGGE_BUILD"] = str(args.build.resolve())
    own_network()

    from harness import host
    import bench as benches
    import peers as peers_module
    import scratch
    host.isolate()
    found, notes, outside = [], [], None
    with scratch.scratch(notes) as folder:
        bench = benches.Bench(folder, None, host, notes)
        try:
            outside = Outside()
            tools = bench.tools = peers_module.Tools(folder)
            found = start_peers(folder, tools.busybox_tar, bench.notes)
            works = {"start": lambda: bench_start(bench, found, args.rounds), "alone": lambda: bench_alone(bench, found, args.rounds),
                     "traffic": lambda: bench_traffic(bench, found, outside, args.seconds, folder),
                     "many": lambda: bench_many(bench, found, args.rounds, args.many)}
            for name in args.only.split(","):
                works[name]()
        finally:
            for peer in found:
                peer.close()
            if outside:
                outside.close()
    return benches.report(bench, args.json or args.build / "bench-network.json")


if __name__ == "__main__":
    sys.exit(main())
