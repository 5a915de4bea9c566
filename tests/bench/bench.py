#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Figures, as ratios against peers in one run (make bench):

    tests/bench/bench.py [--build DIR] [--rounds N] [--only WORK,...] [--json FILE]

All contestants of one work take turns (A B C A B C ...), so that a change of the machine's load meets
all of them; medians and p99 are printed. After each work the host is compared with before: what a
run left behind is a failure, as a missed goal is."""
import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

# Seconds for what a daemon still does after its answer: without them the next contestant would share the processors with it.
AFTER_WORK = {"docker": 0.1}


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(p / 100 * len(ordered)) - 1)]


class Sample:
    """The runs of one contestant at one work."""

    def __init__(self, name):
        self.name, self.ms, self.peak_kib = name, [], 0

    @property
    def median(self):
        return statistics.median(self.ms)

    def row(self):
        return {"median_ms": round(self.median, 3), "p99_ms": round(percentile(self.ms, 99), 3),
                "runs": len(self.ms), "peak_kib": self.peak_kib}


class Bench:
    def __init__(self, folder, tools, host, notes):
        self.folder, self.tools, self.host = folder, tools, host
        self.works, self.checks, self.notes = {}, [], notes

    def snapshot(self):
        """The host now, without what runtimes leave in a hidden `unified`, which is no cgroup."""
        snapshot = self.host.Snapshot()
        if "cgroups" in snapshot.parts and not os.path.exists("/sys/fs/cgroup/unified/cgroup.procs"):
            snapshot.parts["cgroups"] = {c for c in snapshot.parts["cgroups"] if not c.startswith("/sys/fs/cgroup/unified/")}
        return snapshot

    def timed(self, sample, command, env=None, stdin=None, keep=True):
        """Runs COMMAND once; its time and peak go into SAMPLE."""
        result = os.memfd_create("timed")
        with open(self.folder / "output", "w+b") as output:
            subprocess.run([self.tools.folder / "timed", *map(str, command)], check=True, stdin=stdin or subprocess.DEVNULL,
                           stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})),
                           preexec_fn=lambda: os.dup2(result, 3), pass_fds=(3,), timeout=600)
            output.seek(0)
            said = output.read().decode(errors="replace")
        ns, peak, code = os.pread(result, 100, 0).split()
        os.close(result)
        if int(code) != 0:
            raise RuntimeError(f"{sample.name}: {' '.join(map(str, command))}: exit code {int(code)}: {said[-400:]}")
        if keep:
            sample.ms.append(int(ns) / 1e6)
            sample.peak_kib = max(sample.peak_kib, int(peak))
        return said

    def work(self, title, contestants, rounds):
        """Times CONTESTANTS, {name: run(sample, keep)}, in turns. One that cannot do the work is left out and named."""
        samples = {}
        for name, run in contestants.items():
            try:
                run(Sample(name), False)  # warm: caches, and whether it works at all
                samples[name] = Sample(name)
            except Exception as e:  # whatever a peer fails with is a note, not the end
                self.notes.append(f"{title}: {name} left out: {str(e).strip()[-300:]}")
        before = self.snapshot()  # peers have made their permanent cgroups by now
        for _ in range(rounds):
            for name, sample in samples.items():
                contestants[name](sample, True)
                time.sleep(AFTER_WORK.get(name, 0))
        left = self.snapshot().differences(before)
        self.check(f"{title}: nothing left", not left, "; ".join(left[:5]) or "nothing")
        self.works[title] = samples
        for sample in samples.values():
            row = sample.row()
            print(f"{title:<28} {sample.name:<14} {row['median_ms']:>10.2f} ms  p99 {row['p99_ms']:>10.2f} ms"
                  f"  peak {row['peak_kib']:>7} KiB  x{row['runs']}", flush=True)
        return samples

    def goal(self, title, ours, theirs, limit):
        """Checks OURS <= LIMIT * THEIRS for one work; nothing to check where one is missing."""
        samples = self.works.get(title, {})
        if ours in samples and theirs in samples and samples[ours].ms and samples[theirs].ms:
            ratio = samples[ours].median / samples[theirs].median
            self.check(f"{title}: {ours} / {theirs}", ratio <= limit, f"{ratio:.4f} (1/{1 / ratio:.1f}), goal {limit:.4f}")

    def limit(self, title, value, maximum, unit):
        self.check(title, value <= maximum, f"{value:.0f} {unit}, at most {maximum:.0f}")

    def check(self, title, good, text):
        self.checks.append({"title": title, "good": bool(good), "text": text})


def bench_run(bench, peers, rounds, tools):
    from peers import IMAGE
    contestants = {p.name: lambda s, keep, p=p: bench.timed(s, p.command("run", "--rm", "--network", "none", IMAGE, "true"), keep=keep)
                   for p in peers}
    contestants["floor"] = lambda s, keep: bench.timed(s, tools.floor(), keep=keep)
    samples = bench.work("run --rm true", contestants, rounds)
    bench.goal("run --rm true", "kogge", "docker", 1 / 25)
    bench.goal("run --rm true", "kogge", "floor", 2.5)
    if "kogge" in samples:
        bench.limit("peak resident memory of run", samples["kogge"].peak_kib, 6 * 1024, "KiB")


def bench_against_floor(bench, peers, rounds, tools):
    """The same without slow peers between: caches stay warm for both, as in a busy service."""
    from peers import IMAGE
    ours = [p for p in peers if p.name == "kogge"]
    contestants = {p.name: lambda s, keep, p=p: bench.timed(s, p.command("run", "--rm", "--network", "none", IMAGE, "true"), keep=keep)
                   for p in ours}
    contestants["floor"] = lambda s, keep: bench.timed(s, tools.floor(), keep=keep)
    bench.work("run against the floor", contestants, rounds * 5)
    bench.goal("run against the floor", "kogge", "floor", 2.5)


def bench_load(bench, peers, rounds, tools):
    from harness import images
    tar, reason = images.debian()
    if not tar:
        bench.notes.append(f"load: {reason}")
        return
    archive = tools.folder / "debian-archive.tar"
    docker = next((p for p in peers if p.name == "docker"), None)
    maker = docker or peers[0]
    subprocess.run([str(a) for a in maker.command("import", tar, "bench-debian")], check=True, stdout=subprocess.DEVNULL)
    with open(archive, "wb") as f:
        subprocess.run([str(a) for a in maker.command("save", "bench-debian")], check=True, stdout=f)

    def load(peer):
        def run(sample, keep):
            subprocess.run([str(a) for a in peer.command("rmi", "-f", "bench-debian")], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
            bench.timed(sample, peer.command("load", "-i", archive), keep=keep)
        return run
    bench.work("load Debian", {p.name: load(p) for p in peers}, max(3, rounds // 4))
    bench.goal("load Debian", "kogge", "docker", 1 / 3)


def bench_cat(bench, peers, rounds, tools):
    from peers import IMAGE
    size = 256 << 20
    data = tools.folder / "256MiB"
    with open(data, "wb") as f:
        for _ in range(size >> 20):
            f.write(os.urandom(1 << 20))

    def cat(peer):
        def run(sample, keep):
            with open(data, "rb") as stdin:
                command = peer.command("run", "--rm", "-i", "--network", "none", IMAGE, "cat")
                out = bench.timed(sample, ["sh", "-c", '"$@" | wc -c', "sh", *command], stdin=stdin, keep=keep)
            if out.strip() != str(size):
                raise RuntimeError(f"{out.strip()} bytes came out of {size}")
        return run
    contestants = {p.name: cat(p) for p in peers}
    bench.work("256 MiB through run -i cat", contestants, max(3, rounds // 6))
    bench.goal("256 MiB through run -i cat", "kogge", "docker", 1 / 10)


def bench_runtimes(bench, _peers, rounds, tools):
    from peers import Runtimes
    runtimes = Runtimes(bench.folder, tools.rootfs, tools.folder / "memlock-stub")
    found = runtimes.programs()
    bench.notes += runtimes.notes
    contestants = {name: lambda s, keep, path=path, env=env: bench.timed(s, runtimes.command(path), env=env, keep=keep)
                   for name, (path, env) in found.items()}
    contestants["floor"] = lambda s, keep: bench.timed(s, tools.floor(overlay=False), keep=keep)
    samples = bench.work("bundle with /bin/true", contestants, rounds * 2)
    bench.goal("bundle with /bin/true", "kogge-runtime", "crun", 0.5)
    bench.goal("bundle with /bin/true", "kogge-runtime", "runc", 0.2)
    bench.goal("bundle with /bin/true", "kogge-runtime", "floor", 2.0)
    if "kogge-runtime" in samples:
        bench.limit("peak resident memory of kogge-runtime", samples["kogge-runtime"].peak_kib, 2 * 1024, "KiB")


def bench_runtime_verbs(bench, _peers, rounds, tools):
    """create + start + delete of a bundle, and exec, each against crun and runc."""
    from peers import Runtimes
    (bench.folder / "verbs").mkdir(exist_ok=True)
    runtimes = Runtimes(bench.folder / "verbs", tools.rootfs, tools.folder / "memlock-stub")
    found = runtimes.programs()

    def lifecycle(path, env):
        def run(sample, keep):
            parts = Sample(sample.name)
            for command in runtimes.lifecycle(path):
                bench.timed(parts, command, env=env)
            if keep:
                sample.ms.append(sum(parts.ms))
                sample.peak_kib = max(sample.peak_kib, parts.peak_kib)
        return run
    title = "create, start, delete"
    bench.work(title, {name: lifecycle(*found[name]) for name in found}, rounds)
    bench.goal(title, "kogge-runtime", "crun", 0.5)

    ids, contestants = {}, {}
    for name, (path, env) in found.items():
        ids[name] = runtimes.sleeping(path, env)
        contestants[name] = lambda s, keep, path=path, env=env, id_=ids[name]: bench.timed(
            s, runtimes.call(path, "exec", id_, "/bin/true"), env=env, keep=keep)
    samples = bench.work("exec of /bin/true", contestants, rounds * 2)
    for name, (path, env) in found.items():
        bench.timed(Sample(name), runtimes.call(path, "delete", "--force", ids[name]), env=env, keep=False)
    bench.goal("exec of /bin/true", "kogge-runtime", "crun", 0.4)
    if "kogge-runtime" in samples:
        bench.limit("peak resident memory of exec", samples["kogge-runtime"].peak_kib, 2 * 1024, "KiB")


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def bench_memory(bench, peers, _rounds, tools):
    """What stays for each running container, besides the container's own processes."""
    from peers import IMAGE
    kogge = next((p for p in peers if p.name == "kogge"), None)
    if not kogge:
        return
    n = 8
    running = [subprocess.Popen([str(a) for a in kogge.command("run", "--rm", "-i", "--network", "none", IMAGE, "sh", "-c", "echo up; cat")],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(n)]
    try:
        if any(p.stdout.readline() != b"up\n" for p in running):
            raise RuntimeError("a container did not start")
        clients = {p.pid for p in running}
        ours = os.readlink("/proc/self/ns/pid")
        held, client = [], []
        for pid in bench.host.descendants():
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") != ours:
                    continue
                if pid in clients:
                    client.append(pss_kib(pid))
                elif os.path.basename(os.readlink(f"/proc/{pid}/exe").split(" ")[0]).startswith("kogge"):
                    held.append(pss_kib(pid))
            except OSError:
                continue
        bench.limit("PSS that stays per container", sum(held) / n, 400, "KiB")
        bench.notes.append(f"the attached client of `run` in the foreground: {sum(client) / n:.0f} KiB PSS")
    finally:
        for p in running:
            p.stdin.close()
            p.wait(30)


def bench_sizes(bench, _peers, _rounds, _tools):
    from harness import program
    for name, limit in (("kogge", 8 << 20), ("kogge-runtime", 2 << 20)):
        path = program.PROGRAMS / name
        if path.exists():
            bench.limit(f"size of {name}", path.stat().st_size / 1024, limit / 1024, "KiB")


WORKS = {"sizes": bench_sizes, "run": bench_run, "floor": bench_against_floor, "memory": bench_memory,
         "cat": bench_cat, "load": bench_load, "runtimes": bench_runtimes, "verbs": bench_runtime_verbs}
ALL = [*WORKS, "exec", "create", "logs", "many", "parallel"]  # the latter in life.py, which needs the harness


def start_peers(folder, tools, notes):
    import peers
    found = []
    for kind in (peers.Kogge, peers.Docker, peers.Podman):
        peer = None
        try:
            peer = kind(folder)
            peer.prepare(tools.busybox_tar)
            found.append(peer)
        except (RuntimeError, AssertionError, OSError) as e:
            notes.append(f"{kind.name} left out: {str(e).strip()[-300:]}")
            if peer:
                peer.close()
    return found


def report(bench, out):
    """Prints the checks and notes, writes all to OUT; the exit code."""
    print()
    for check in bench.checks:
        print(f"{'ok  ' if check['good'] else 'MISS'} {check['title']}: {check['text']}")
    for note in bench.notes:
        print(f"note: {' '.join(note.split())}")
    out.write_text(json.dumps({"works": {t: {n: s.row() for n, s in w.items()} for t, w in bench.works.items()},
                               "checks": bench.checks, "notes": bench.notes}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(c["good"] for c in bench.checks) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--rounds", default=20, type=int)
    parser.add_argument("--only", default=",".join(ALL), help=", ".join(ALL))
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    os.environ["KOGGE_BUILD"] = str(args.build.resolve())
    os.environ.setdefault("KOGGE_TEST_STRICT", "1")

    from harness import host
    import life
    import peers as peers_module
    import scratch
    works = WORKS | life.WORKS
    host.isolate()
    found, notes = [], []
    with scratch.scratch(notes) as folder:
        try:
            tools = peers_module.Tools(folder)
            bench = Bench(folder, tools, host, notes)
            found = start_peers(folder, tools, bench.notes)
            for name in args.only.split(","):
                works[name](bench, found, args.rounds, tools)
        finally:
            for peer in found:
                peer.close()
    return report(bench, args.json or args.build / "bench.json")


if __name__ == "__main__":
    sys.exit(main())
