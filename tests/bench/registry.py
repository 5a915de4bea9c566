#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kogge-registry against docker-registry and nginx (sendfile), on loopback, in turns:

    tests/bench/registry.py [--build DIR] [--rounds N] [--seconds S]

http-load (beside this file) asks for blobs and pushes some of 1 MB by POST and PUT, each durable; wrk
asks for a manifest. Prints medians, ratios, the processor time that a server takes for a gigabyte or
a push (which other load on the machine hardly changes), and resident memory: idle, and with 500
clients. Needs the packages docker-registry, nginx-light and wrk, and a compiler; ends with 77 without."""
import argparse
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SIZES = (1, 10, 100)
SKIPPED = 77
HERE = pathlib.Path(__file__).parent
TOOL = None  # http-load, once it is compiled


class Server:
    """A registry that runs; COMMAND gets its folder and port."""

    def __init__(self, name, folder, command):
        self.name, self.folder, self.samples = name, folder, {}
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        folder.mkdir()
        self.process = subprocess.Popen(command(folder, self.port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.01)
        sys.exit(f"{name} did not start")

    def ask(self, method, path, body=None, headers=None, connection=None):
        c = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request(method, path, body=body, headers=headers or {})
        answer = c.getresponse()
        answer.read()
        assert answer.status < 300, (self.name, method, path, answer.status)
        return answer

    def push(self, name, data, connection=None):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        where = self.ask("POST", f"/v2/{name}/blobs/uploads/", connection=connection).headers["Location"]
        where = where[where.index("/v2/"):]
        self.ask("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", data,
                 {"Content-Type": "application/octet-stream"}, connection)
        return digest

    def seed(self):
        blobs = {mb: self.push("a", bytes([mb]) * (mb << 20)) for mb in SIZES}
        config = b'{"architecture":"amd64","os":"linux"}'
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.push("a", config), "size": len(config)},
                    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": blobs[1], "size": 1 << 20}]}
        self.ask("PUT", "/v2/a/manifests/t", json.dumps(manifest).encode(), {"Content-Type": MANIFEST})
        self.paths = {f"blob of {mb} MB": f"/v2/a/blobs/{digest}" for mb, digest in blobs.items()}
        self.paths["manifest"] = "/v2/a/manifests/t"

    def note(self, work, value):
        self.samples.setdefault(work, []).append(value)

    def ticks(self):
        """Seconds of processor time, with those of its children (nginx' worker)."""
        total = 0
        for pid in [self.process.pid, *map(int, pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())]:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def resident(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text()).group(1)) / 1024

    def get(self, work, seconds):
        path = self.paths[work]
        if "blob" not in work:
            out = subprocess.run(["wrk", "-t1", "-c8", f"-d{seconds}s", "-H", f"Accept: {MANIFEST}", f"http://127.0.0.1:{self.port}{path}"],
                                 check=True, stdout=subprocess.PIPE, text=True).stdout
            assert "Non-2xx" not in out, out
            self.note(f"GET {work}, requests/s", float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)))
            return
        before = self.ticks()
        rate = float(load("get", self.port, path, 8, seconds))
        assert rate > 0, (self.name, work)
        self.note(f"GET {work}, requests/s", rate)
        self.note(f"GET {work}, CPU s/GB", (self.ticks() - before) / (rate * seconds * int(work.split()[2]) / 1000))

    def pushes(self, number=100, clients=4):
        before = self.ticks()
        self.note("push of 1 MB, pushes/s", float(load("push", self.port, "p", clients, number // clients, 1 << 20)))
        self.note("push of 1 MB, CPU ms", 1000 * (self.ticks() - before) / number)

    def clients(self, number=500):
        held = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(number)]
        for s in held:
            s.sendall(f"GET {self.paths['blob of 1 MB']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for s in held:
            s.recv(1024)
        self.note(f"{number} clients that read, MB resident", self.resident())
        for s in held:
            s.close()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def load(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout


def nginx(folder, port):
    """As many workers as processors, files by sendfile, nothing logged."""
    paths = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log /dev/null; worker_processes auto; user root;\n"
        f"events {{}}\nhttp {{ access_log off; sendfile on; keepalive_requests 10000000; {paths}\n"
        f"server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n")
    return ["nginx", "-c", folder / "nginx.conf"]


def seed_files(server):
    for mb in SIZES:
        (server.folder / str(mb)).write_bytes(bytes([mb]) * (mb << 20))
    server.paths = {f"blob of {mb} MB": f"/{mb}" for mb in SIZES}


def docker_registry(folder, port):
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    return ["docker-registry", "serve", folder / "config.yml"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--seconds", default=3, type=int)
    options = parser.parse_args()
    for name in ("docker-registry", "nginx", "wrk", "cc"):
        if not shutil.which(name):
            print(f"skipped: {name} is not installed")
            return SKIPPED
    program = next(p for p in (options.build / "kogge-registry", options.build / "src/cmd/kogge-registry") if p.exists())
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        measure(program, pathlib.Path(folder), options)
    return 0


def measure(program, folder, options):
    global TOOL  # pylint: disable=global-statement
    TOOL = folder / "http-load"
    subprocess.run(["cc", "-O2", "-o", TOOL, HERE / "http-load.c", "-lcrypto", "-lpthread"], check=True)
    ours = Server("kogge-registry", folder / "kogge", lambda f, port: [
        program, "serve", "--listen", f"127.0.0.1:{port}", "--root", f / "data", "--log", "none"])
    theirs, files = Server("docker-registry", folder / "docker", docker_registry), Server("nginx", folder / "nginx", nginx)
    for server in (ours, theirs):
        server.note("idle, MB resident", server.resident())
        server.seed()
    seed_files(files)
    for _ in range(options.rounds):
        for work in ours.paths:
            for server in (ours, theirs, files):
                if work in server.paths:
                    server.get(work, options.seconds)
        for server in (ours, theirs):
            server.pushes()
    for server in (ours, theirs):
        server.clients()
    for server in (ours, theirs, files):
        server.stop()
    report(ours, theirs, files)


def report(ours, *others):
    print(f"{'':36}{ours.name:>16}" + "".join(f"{s.name:>16} {'ratio':>7}" for s in others))
    for work, samples in ours.samples.items():
        own = statistics.median(samples)
        line = f"{work:36}{own:16.2f}"
        for server in others:
            if work in server.samples:
                value = statistics.median(server.samples[work])
                line += f"{value:16.2f} {own / value if value else 0:7.2f}"
        print(line)


if __name__ == "__main__":
    sys.exit(main())
