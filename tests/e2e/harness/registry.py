# SPDX-License-Identifier: Apache-2.0
"""kogge-registry on a port of its own, and requests to it as they are written here."""
import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess

from . import program

START_SECONDS = 60
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of the one error."""
        return self.json["errors"][0]["code"]

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


class Registry:
    def __init__(self, folder, *arguments, env=None):
        self.folder, self.arguments, self.env = folder, arguments, env or {}
        self.root, self.log = folder / "registry", folder / "registry.log"
        self.process, self.port = None, 0

    def start(self):
        """Starts it, on the same port as before where there was one."""
        log = open(self.log, "ab")
        self.process = subprocess.Popen(
            [program.PROGRAMS / "kogge-registry", "serve", "--listen", f"127.0.0.1:{self.port}", "--root", self.root,
             *self.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.PIPE, start_new_session=True,
            env=dict(os.environ, **self.env))
        # Clients that wait for the port may be served, and logged, before it says that it is there.
        said, line = [], b"-"
        while line and b"listening on port" not in line:
            line = self.process.stderr.readline()
            said.append(line.decode(errors="replace"))
        assert line, "".join(said)
        line = line.decode()
        self.port = int(line.split("listening on port ")[1].split(",")[0])
        # What follows goes to a file, so that it can be read and never blocks the program.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=log)
        self.process.stderr.close()
        log.close()
        return self

    def stop(self, number=signal.SIGTERM):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(START_SECONDS)
        self.drain.wait(START_SECONDS)
        self.process = None
        text = self.log.read_bytes()
        assert not any(word in text for word in program.SANITIZER_REPORT), text[-3000:].decode(errors="replace")
        assert number == signal.SIGKILL or code == 0, f"ended with {code}: {text[-1000:]}"

    def resident(self):
        """Its resident memory in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def request(self, method, path, body=None, headers=None, **options):
        """One request on a connection of its own; the path goes out as it is."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)) as c:
            c.request(method, path, body=body, headers=headers or {}, **options)
            return Answer(c.getresponse())

    def raw(self, data, end=True):
        """What comes back for bytes that need not be HTTP; b"" where the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.port), START_SECONDS) as s:
            s.sendall(data)
            if end:
                s.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := s.recv(65536):
                    answer += piece
            return answer

    def push_blob(self, name, data, algorithm="sha256"):
        d = digest_of(data, algorithm)
        answer = self.request("POST", f"/v2/{name}/blobs/uploads/?digest={d}", data)
        assert answer.status == 201, answer
        return d

    def put_manifest(self, name, reference, document, kind=MANIFEST):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.request("PUT", f"/v2/{name}/manifests/{reference}", data, {"Content-Type": kind})

    def image(self, name, layers=(b"layer",), **more):
        """Pushes the blobs of an image and returns its manifest."""
        def descriptor(data, kind):
            return {"mediaType": kind, "digest": self.push_blob(name, data), "size": len(data)}
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(b'{"architecture":"amd64","os":"linux"}', CONFIG),
                "layers": [descriptor(data, LAYER) for data in layers], **more}

    def push_image(self, name, reference, **options):
        """Pushes an image and returns its digest."""
        answer = self.put_manifest(name, reference, self.image(name, **options))
        assert answer.status == 201, answer
        return answer.headers["Docker-Content-Digest"]

    def open_upload(self, name):
        answer = self.request("POST", f"/v2/{name}/blobs/uploads/")
        assert answer.status == 202, answer
        return answer.headers["Location"]

    def files(self, folder=""):
        """The files below a folder of its directory, with their bytes; without those of its own."""
        base = self.root / folder
        return {str(p.relative_to(base)): p.read_bytes() for p in sorted(base.rglob("*"))
                if p.is_file() and p.name != "lock"}
