# SPDX-License-Identifier: Apache-2.0
"""What people do all day with containers: exec, ps, create, detach, logs, many at once. The peer is
Docker; each work leaves nothing."""
import os
import subprocess
import threading
import time

from peers import IMAGE, must

MANY = 500
LINES = 200000


def call(peer, *args):
    return must(*peer.command(*args)).out


def sleeper(peer, name):
    call(peer, "run", "-d", "--name", name, "--network", "none", IMAGE, "sleep", "100000")


def chosen(peers):
    return [p for p in peers if p.name in ("kogge", "docker")]


def bench_exec(bench, peers, rounds, _tools):
    peers = chosen(peers)
    for p in peers:
        sleeper(p, "bench-exec")
    try:
        bench.work("exec true", {p.name: lambda s, keep, p=p: bench.timed(s, p.command("exec", "bench-exec", "true"), keep=keep)
                                 for p in peers}, rounds)
    finally:
        for p in peers:
            call(p, "rm", "-f", "bench-exec")
    bench.goal("exec true", "kogge", "docker", 1 / 20)


def bench_create(bench, peers, rounds, _tools):
    def both(peer, first):
        def run(sample, keep):
            rm = " ".join(f"'{a}'" for a in peer.command("rm", "-f", "bench-c"))
            bench.timed(sample, ["sh", "-c", f'"$@" >/dev/null && {rm}', "sh", *peer.command(*first)], keep=keep)
        return run
    peers = chosen(peers)
    for title, first, limit in (("create + rm", ["create"], 1 / 10), ("run -d + rm -f", ["run", "-d"], 1 / 20)):
        words = [*first, "--name", "bench-c", "--network", "none", IMAGE, "sleep", "100000"]
        bench.work(title, {p.name: both(p, words) for p in peers}, rounds)
        bench.goal(title, "kogge", "docker", limit)


def bench_logs(bench, peers, rounds, tools):
    """Lines of a program that takes little time itself, as the goal is about the logs; and of one that writes each line by
    itself. A shell that counts needs more than half of its time for counting, so that no platform can be much faster than
    another: that one has no goal, and the shell alone stands beside it."""
    shell = f"i=0; while [ $i -lt {LINES} ]; do echo line $i of the log; i=$((i+1)); done"

    def logs(peer, words):
        def run(sample, keep):
            began = time.monotonic()
            call(peer, "run", "--name", "bench-logs", "--network", "none", IMAGE, *words)
            lines = call(peer, "logs", "bench-logs").count("\n")
            if keep:
                sample.ms.append((time.monotonic() - began) * 1e3)
            call(peer, "rm", "bench-logs")
            if lines != LINES:
                raise RuntimeError(f"{lines} of {LINES} lines came back")
        return run
    title = f"{LINES:,} lines, logs"
    bench.work(title, {p.name: logs(p, ["seq", str(LINES)]) for p in chosen(peers)}, max(2, rounds // 10))
    bench.goal(title, "kogge", "docker", 1 / 8)
    contestants = {p.name: logs(p, ["sh", "-c", shell]) for p in chosen(peers)}
    busybox = tools.rootfs / "bin/busybox"
    contestants["no container"] = lambda s, keep: bench.timed(s, ["sh", "-c", '"$@" | cat >/dev/null', "sh", busybox, "sh", "-c", shell],
                                                              keep=keep)
    bench.work(f"{LINES:,} lines of a shell", contestants, max(2, rounds // 10))
    bench_tail(bench, peers, rounds)


def bench_tail(bench, peers, rounds):
    kogge = [p for p in peers if p.name == "kogge"]
    line = "x" * 1000
    for p in kogge:
        subprocess.run(p.command("run", "--name", "bench-tail", "--network", "none", "--log-opt", "max-size=2g", IMAGE, "sh", "-c",
                                 f"yes {line} | head -c 1000000000"), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    samples = bench.work("logs --tail 100 of 1 GB", {p.name: lambda s, keep, p=p: bench.timed(
        s, p.command("logs", "--tail", "100", "bench-tail"), keep=keep) for p in kogge}, rounds)
    for p in kogge:
        call(p, "rm", "bench-tail")
    if "kogge" in samples:
        bench.limit("logs --tail 100 of 1 GB", samples["kogge"].median, 5, "ms")


def start_many(peer, names, workers=16):
    """Starts a detached container for each name; the seconds that it took."""
    left, failed, began = list(names), [], time.monotonic()

    def work():
        while left:
            try:
                sleeper(peer, left.pop())
            except IndexError:
                return
            except RuntimeError as e:
                failed.append(e)
    threads = [threading.Thread(target=work) for _ in range(workers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise RuntimeError(str(failed[0]))
    return time.monotonic() - began


def bench_many(bench, peers, rounds, _tools):
    """MANY detached containers: how long they take to start, ps over them, what each monitor keeps."""
    peers = chosen(peers)
    names = [f"bench-many-{i}" for i in range(MANY)]
    before = bench.snapshot()
    took = {}
    try:
        for p in peers:
            took[p.name] = start_many(p, names)
            print(f"{MANY} detached containers: {p.name} {took[p.name]:.1f} s", flush=True)
        held = [pss for pss in map(monitor_pss, bench.host.descendants()) if pss]
        if held:
            bench.limit(f"PSS of a monitor, of {len(held)}", sum(held) / len(held), 400, "KiB")
        bench.work(f"ps of {MANY}", {p.name: lambda s, keep, p=p: bench.timed(s, p.command("ps"), keep=keep) for p in peers}, rounds)
    finally:
        for p in peers:
            for i in range(0, MANY, 50):
                subprocess.run(p.command("rm", "-f", *names[i:i + 50]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    bench.goal(f"ps of {MANY}", "kogge", "docker", 1 / 10)
    if len(took) == 2:
        ratio = took["kogge"] / took["docker"]
        bench.check(f"{MANY} detached containers start", ratio <= 1 / 20, f"{ratio:.4f} (1/{1 / ratio:.1f}), goal 0.0500")
    left = bench.snapshot().differences(before)
    bench.check(f"{MANY} containers: nothing left", not left, "; ".join(left[:5]) or "nothing")


def monitor_pss(pid):
    try:
        if not os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("kogge-monitor"):
            return None
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return None


def bench_parallel(bench, peers, rounds, _tools):
    """16 clients at once, each with short containers one after the other."""
    script = 'for i in $(seq 16); do (for k in 1 2 3 4; do "$@" || exit 1; done) & done; wait'

    def many(peer):
        return lambda s, keep: bench.timed(s, ["sh", "-c", script, "sh", *peer.command("run", "--rm", "--network", "none", IMAGE, "true")],
                                           keep=keep)
    bench.work("64 runs, 16 at once", {p.name: many(p) for p in chosen(peers)}, max(3, rounds // 6))
    bench.goal("64 runs, 16 at once", "kogge", "docker", 1 / 20)


WORKS = {"exec": bench_exec, "create": bench_create, "logs": bench_logs, "many": bench_many, "parallel": bench_parallel}
