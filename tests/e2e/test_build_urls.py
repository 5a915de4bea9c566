# SPDX-License-Identifier: Apache-2.0
"""Files and contexts from URLs. What a hostile server sends is in test_build_attack.py (B14)."""
import base64
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading

import pytest

pytestmark = pytest.mark.needs_root

MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"
DOCKERFILE = b"FROM busybox\nLABEL from=url\n"


def archive(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Files(http.server.BaseHTTPRequestHandler):
    content, asked = {}, []

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        self.asked.append((self.path, self.headers.get("Authorization")))
        status, body, headers = self.content.get(self.path, (404, b"not here", {}))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server():
    """server.url, server.put(PATH, BODY, status, headers), server.asked."""
    class Own(Files):
        content, asked = {}, []
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    made.url = f"http://127.0.0.1:{made.server_address[1]}"
    made.asked = Own.asked
    made.put = lambda path, body, status=200, headers=None: Own.content.__setitem__(path, (status, body, headers or {}))
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def make(box, scratch):
    folder = scratch / "context"
    folder.mkdir()

    def run(text, *flags):
        (folder / "Dockerfile").write_text(text)
        return box("build", "--progress", "plain", "-t", "made", *flags, folder)
    return run


def see(box, *command):
    return box.ok("run", "--rm", "made", *command)


def test_add_of_a_url(box, make, server):
    server.put("/dir/file%20one?x=1", b"content\n", headers={"Last-Modified": MODIFIED})
    text = f"FROM busybox\nADD {server.url}/dir/file%20one?x=1#part /to/\nADD --chmod=755 --chown=7:8 {server.url}/dir/file%20one?x=1 /bin/two\n"
    r = make(text)
    assert r.code == 0, str(r)
    assert see(box, "stat", "-c", "%a %u %g %s %Y", "/to/file one", "/bin/two") == "600 0 0 8 1445412480\n755 7 8 8 1445412480\n"
    assert see(box, "cat", "/to/file one") == "content\n"
    assert f"ADD {server.url}/dir/file%20one?x=1#part /to/" in json.dumps(box.ok("history", "--no-trunc", "made"))
    r = make(text)
    assert r.code == 0 and r.err.count("CACHED") == 2, "what a URL brings is keyed by its content"
    server.put("/dir/file%20one?x=1", b"other\n")
    r = make(text)
    assert r.code == 0 and "CACHED" not in r.err
    assert see(box, "stat", "-c", "%Y", "/bin/two") == "0\n" and see(box, "cat", "/bin/two") == "other\n"


def test_a_checksum_is_asked_for_once(box, make, server):
    server.put("/f", b"content\n")
    good = hashlib.sha256(b"content\n").hexdigest()
    text = f"FROM busybox\nADD --checksum=sha256:{good} {server.url}/f /f\n"
    assert make(text).code == 0 and len(server.asked) == 1
    assert make(text).code == 0 and len(server.asked) == 1, "it was fetched though it is known"
    assert see(box, "cat", "/f") == "content\n"
    server.put("/f", b"content of another\n")
    r = make(text.replace(good, "0" * 64))
    assert r.code == 1 and "digest mismatch" in r.err and "Dockerfile:2" in r.err
    assert see(box, "cat", "/f") == "content\n"


def test_an_archive_is_unpacked_when_that_is_asked_for(box, make, server):
    server.put("/a.tar.gz", gzip.compress(archive(inside=b"x")))
    assert make(f"FROM busybox\nADD {server.url}/a.tar.gz /plain/\nADD --unpack=true {server.url}/a.tar.gz /open/\n").code == 0
    assert see(box, "ls", "/plain", "/open").split() == ["/open:", "inside", "/plain:", "a.tar.gz"]


def test_names_with_wildcards_mean_themselves(box, make, server):
    for path in ("/a[1]*.txt", "/a1.txt"):
        server.put(path, path.encode())
    assert make(f"FROM busybox\nADD {server.url}/a[1]*.txt /d/\n").code == 0
    assert see(box, "cat", "/d/a[1]*.txt") == "/a[1]*.txt"


def test_redirects_and_passwords(box, make, server, scratch):
    server.put("/from", b"", 302, {"Location": "/to"})
    server.put("/to", b"there")
    url = server.url.replace("//", "//me:se%40cret-word@")
    r = make(f"FROM busybox\nADD {url}/from /d/\n")
    assert r.code == 0 and "cret-word" not in r.err, str(r)
    assert see(box, "cat", "/d/from") == "there"
    assert server.asked[0][1] == "Basic " + base64.b64encode(b"me:se@cret-word").decode()
    for path in (scratch / "root").rglob("*"):
        assert not path.is_file() or b"cret-word" not in path.read_bytes(), f"{path} has the password"
    assert "xxxxx:xxxxx@" in box.ok("history", "--no-trunc", "made")


@pytest.mark.parametrize("status,word", [(404, "404"), (403, "403"), (500, "500"), (204, "")])
def test_what_a_server_refuses_is_told(make, server, status, word):
    server.put("/f", b"", status)
    r = make(f"FROM busybox\nADD {server.url}/f /f\n")
    assert (r.code == 1 and word in r.err and "Dockerfile:2" in r.err) or status == 204, str(r)


def test_other_addresses_of_this_machine_are_not_reached(make, server):
    """A redirect from elsewhere, or a name, must not lead to what listens here: 0.0.0.0 is this machine, and no name of it."""
    server.put("/f", b"for this machine alone")
    r = make(f"FROM busybox\nADD {server.url.replace('127.0.0.1', '0.0.0.0')}/f /f\n")
    assert r.code == 1 and "address of this machine" in r.err, str(r)
    assert server.asked == []


def test_contexts_from_urls(box, server):
    server.put("/Dockerfile", DOCKERFILE)
    server.put("/c.tar.gz", gzip.compress(archive(Dockerfile=b"FROM busybox\nCOPY f /f\n", f=b"in", other=b"FROM busybox\nLABEL a=other\n")))
    box.ok("build", "-t", "made", f"{server.url}/Dockerfile")
    assert box.inspect("made")["Config"]["Labels"] == {"from": "url"}
    box.ok("build", "-t", "made", f"{server.url}/c.tar.gz")
    assert see(box, "cat", "/f") == "in"
    box.ok("build", "-t", "made", "-f", "other", f"{server.url}/c.tar.gz")
    assert box.inspect("made")["Config"]["Labels"] == {"a": "other"}
    box.fails(1, "build", f"{server.url}/nothing", saying="404")
    box.fails(1, "build", f"{server.url}/x.git", saying="clone it")
