# SPDX-License-Identifier: Apache-2.0
"""pull, push, login: with our own server, with Debian's docker-registry, and with one that lies."""
import crypt
import hashlib
import http.server
import io
import json
import os
import re
import subprocess
import tarfile
import threading
import time

import pytest

from harness import program, screen
from harness.registry import CONFIG, INDEX, MANIFEST, Registry, digest_of

pytestmark = pytest.mark.needs_root


@pytest.fixture
def server(scratch):
    folder = scratch / "server"
    folder.mkdir()
    registry = Registry(folder).start()
    yield registry
    registry.stop()


@pytest.fixture
def me(box, scratch):
    """`kogge` whose credentials are in a folder of its own."""
    box.env = {"DOCKER_CONFIG": str(scratch / "docker-config"), "HOME": str(scratch)}
    return box


def test_what_is_pushed_is_pulled(me, server):
    name = f"127.0.0.1:{server.port}/team/app:1"
    me.ok("tag", "busybox", name)
    ident = me.inspect(name)["Id"]
    out = me.ok("push", name).splitlines()
    assert out[0] == f"The push refers to repository [{name[:-2]}]" and out[-1].startswith("1: digest: sha256:")
    assert "Layer already exists" in me.ok("push", name)
    assert me.ok("push", "-q", name) == name + "\n"
    me.ok("rmi", name, "busybox")
    out = me.ok("pull", name).splitlines()
    assert out[0] == "1: Pulling from team/app" and out[-2:] == [f"Status: Downloaded newer image for {name}", name]
    assert me.inspect(name)["Id"] == ident
    assert f"Status: Image is up to date for {name}" in me.ok("pull", name)
    assert me.ok("pull", "-q", name) == name + "\n"
    assert me.ok("run", "--rm", "--network", "none", name, "echo", "pulled") == "pulled\n"


def test_layers_on_a_terminal_have_a_line_each(me, server, scratch):
    name = f"127.0.0.1:{server.port}/app:1"
    (scratch / "context").mkdir()
    (scratch / "context" / "big").write_bytes(os.urandom(3 << 20))
    (scratch / "context" / "Dockerfile").write_text("FROM busybox\nCOPY big /a\nRUN echo b > /b\n")
    me.ok("build", "-t", name, scratch / "context")
    env = {**me.env, "COLUMNS": ""}
    code, text, lines = screen.run(me.args("push", name), columns=150, env=env)
    assert code == 0 and [line.split(": ", 1)[1] for line in lines if re.match("[0-9a-f]{12}: ", line)] == ["Pushed"] * 3, lines
    assert lines[0].startswith("The push refers to") and lines[4].startswith("1: digest: sha256:"), lines
    assert re.search(r"Pushing \[=*>? *\] +[0-9.]+k?M?B/3\.1\dMB", text), "no bar was drawn"
    code, text, lines = screen.run(me.args("push", name), env=env)
    assert code == 0 and sum(line.endswith(": Layer already exists") for line in lines) == 3 and "[" not in "".join(lines[1:4])
    me.ok("rmi", name, "busybox")
    me.ok("builder", "prune", "-a", "-f")
    code, text, lines = screen.run(me.args("pull", name), columns=80, env=env)
    assert code == 0 and [line.split(": ", 1)[1] for line in lines[1:4]] == ["Pull complete"] * 3, lines
    assert re.search(r"Downloading +[0-9.]+k?M?B/3\.1\dMB", text) and "[=" not in text, "a narrow screen has room for numbers alone"
    assert lines[4].startswith("Digest: sha256:") and lines[-2] == name, lines


def test_all_tags_and_other_repositories(me, server):
    repository = f"127.0.0.1:{server.port}/many"
    for tag in ("a", "b"):
        me.ok("tag", "busybox", f"{repository}:{tag}")
    assert me.ok("push", "-a", repository).count("digest: sha256:") == 2
    me.ok("tag", "busybox", f"127.0.0.1:{server.port}/other:x")
    assert "Mounted from another repository" in me.ok("push", f"127.0.0.1:{server.port}/other:x")
    me.ok("rmi", f"{repository}:a", f"{repository}:b", f"127.0.0.1:{server.port}/other:x")
    me.ok("pull", "-a", repository)
    assert set(me.ok("images", "--format", "{{.Tag}}", repository).split()) == {"a", "b"}
    me.fails(1, "push", "-a", f"{repository}:a", saying="tag can't be used")
    me.fails(1, "push", f"{repository}:none", saying="does not exist locally")
    me.fails(1, "pull", f"{repository}:none", saying="unknown")
    me.fails(1, "pull", "127.0.0.1:1/x", saying="connect")


def test_R17_a_digest_that_another_repository_has_is_asked_for(me, server):
    host = f"127.0.0.1:{server.port}"
    me.ok("tag", "busybox", f"{host}/has:it")
    digest = me.ok("push", f"{host}/has:it").split("digest: ")[1].split()[0]
    for name in (f"{host}/none@{digest}", f"127.0.0.2:1/has@{digest}"):
        me.fails(1, "pull", name)
        me.fails(125, "run", "--rm", "--network", "none", name, "true")
        me.fails(1, "image", "inspect", name, saying="no such image")
    assert f"Image is up to date for {host}/has@{digest}" in me.ok("pull", f"{host}/has@{digest}")


@pytest.mark.parametrize("verb", ["run", "create"])
def test_an_image_that_is_missing_is_pulled(me, server, verb):
    name = f"127.0.0.1:{server.port}/app:latest"
    me.ok("tag", "busybox", name)
    me.ok("push", name)
    me.ok("rmi", name, "busybox")
    args = [verb, "--name", "one", "--network", "none", name, "true"]
    me.fails(125 if verb == "run" else 1, verb, "--pull", "never", *args[1:], saying="no such image")
    result = me(*args)
    assert result.code == 0 and result.err.startswith(f"Unable to find image '{name}' locally\n"), str(result)
    assert "Downloaded newer image" in result.err
    me.ok("rm", "one")
    assert "Image is up to date" in me(verb, "--pull", "always", *args[1:]).err
    me.ok("rm", "one")


# -- Debian's registry ------------------------------------------------------------------------------

class DebianRegistry:
    def __init__(self, folder):
        entry = "me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << 5))
        (folder / "htpasswd").write_text(entry + "\n")
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: 127.0.0.1:0}}\nauth: {{htpasswd: {{realm: here, path: {folder}/htpasswd}}}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.port = self.wait()

    def wait(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self.process.poll() is None, "docker-registry ended"
            found = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
            for line in found.splitlines():
                if f"pid={self.process.pid}," in line:
                    return int(line.split()[3].rsplit(":", 1)[1])
            time.sleep(0.05)
        raise AssertionError("docker-registry does not listen")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def debian(scratch, need_tool):
    need_tool("docker-registry")
    folder = scratch / "debian"
    folder.mkdir()
    registry = DebianRegistry(folder)
    yield registry
    registry.stop()


def test_login_push_pull_logout(me, debian, scratch):
    host = f"127.0.0.1:{debian.port}"
    me.ok("tag", "busybox", f"{host}/app:1")
    me.fails(1, "push", f"{host}/app:1", saying="kogge login")
    me.fails(1, "login", "-u", "me", "--password-stdin", host, input="wrong\n", saying="denied")
    me.fails(1, "login", "--password-stdin", host, input="secret\n", saying="--username")
    assert not (scratch / "docker-config").exists()
    assert me.ok("login", "-u", "me", "--password-stdin", host, input="secret\n") == "Login Succeeded\n"
    config = scratch / "docker-config" / "config.json"
    assert config.stat().st_mode & 0o777 == 0o600 and host in json.loads(config.read_text())["auths"]
    me.ok("push", f"{host}/app:1")
    me.ok("rmi", f"{host}/app:1", "busybox")
    me.ok("pull", f"{host}/app:1")
    assert me.ok("run", "--rm", "--network", "none", f"{host}/app:1", "echo", "it") == "it\n"
    assert me.ok("logout", host) == f"Removing login credentials for {host}\n"
    assert me.ok("logout", host) == f"Not logged in to {host}\n"
    me.ok("rmi", f"{host}/app:1")
    me.fails(1, "pull", f"{host}/app:1", saying="denied")


def test_a_credential_helper_is_asked(me, debian, scratch):
    host = f"127.0.0.1:{debian.port}"
    programs, kept = scratch / "bin", scratch / "kept"
    programs.mkdir()
    helper = programs / "docker-credential-file"
    helper.write_text(f'#!/bin/sh\ncase $1 in store) cat >{kept};; get) cat >/dev/null; [ -e {kept} ] && cat {kept} || exit 1;;'
                      f' erase) cat >/dev/null; rm -f {kept};; esac\n')
    helper.chmod(0o755)
    (scratch / "docker-config").mkdir()
    (scratch / "docker-config" / "config.json").write_text(json.dumps({"credsStore": "file"}))
    me.env["PATH"] = f"{programs}:{os.environ['PATH']}"
    me.ok("login", "-u", "me", "--password-stdin", host, input="secret")
    assert json.loads(kept.read_text())["Secret"] == "secret"
    me.ok("tag", "busybox", f"{host}/helped:1")
    me.ok("push", f"{host}/helped:1")
    me.ok("logout", host)
    assert not kept.exists()
    me.fails(1, "push", f"{host}/helped:1", saying="denied")


def test_docker_and_kogge_share_a_registry(me, server, docker, busybox_tar):
    host = f"127.0.0.1:{server.port}"
    docker.ok("import", busybox_tar, f"{host}/by-docker:1")
    docker.ok("push", f"{host}/by-docker:1")
    me.ok("pull", f"{host}/by-docker:1")
    assert me.ok("run", "--rm", "--network", "none", f"{host}/by-docker:1", "echo", "hello") == "hello\n"
    me.ok("tag", "busybox", f"{host}/by-kogge:1")
    me.ok("push", f"{host}/by-kogge:1")
    docker.ok("pull", f"{host}/by-kogge:1")
    theirs = json.loads(docker.ok("inspect", f"{host}/by-kogge:1"))[0]["Id"]
    assert theirs == me.inspect(f"{host}/by-kogge:1")["Id"]
    docker.ok("rmi", "-f", f"{host}/by-docker:1", f"{host}/by-kogge:1")


# -- a server that lies -----------------------------------------------------------------------------

class Liar(http.server.BaseHTTPRequestHandler):
    """Serves what `self.server.answers` has: path to (status, headers, body, announced length)."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        status, headers, body, length = self.server.answers.get(self.path, (404, {}, b"{}", None))
        begin, end = self.range(body) if status == 200 else (0, len(body))
        if (begin, end) != (0, len(body)):
            status, body = 206, body[begin:end]
            self.server.ranges.append((begin, end))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.give(body)
        self.close_connection |= length is not None

    def range(self, body):
        text = self.headers.get("Range", "")
        if self.server.ranges is None or not text.startswith("bytes="):
            return 0, len(body)
        begin, end = text[6:].split("-")
        return int(begin), min(int(end) + 1 if end else len(body), len(body))

    def give(self, body):
        """Sends BODY; beyond the server's budget of bytes of blobs the connection is cut."""
        if "/blobs/" in self.path:
            allowed = min(self.server.budget, len(body))
            self.server.budget -= allowed
            self.server.given += allowed
            self.close_connection = allowed < len(body)
            body = body[:allowed]
        try:
            self.wfile.write(body)
        except OSError:
            pass

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def liar():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    server.answers, server.seen = {"/v2/": (200, {}, b"{}", None)}, []
    server.ranges, server.budget, server.given = None, 1 << 40, 0
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.name = f"127.0.0.1:{server.server_port}/x"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def put(liar, kind, name, body, media=None, length=None):
    liar.answers[f"/v2/x/{kind}/{name}"] = (200, {"Content-Type": media} if media else {}, body, length)


def put_image(liar, layer=b"", **changes):
    """An image `x:1` with one layer; CHANGES of its manifest."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                                   "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}).encode()
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(layer), "size": len(layer)}], **changes}
    put(liar, "blobs", digest_of(config), config)
    put(liar, "blobs", digest_of(layer), layer)
    put(liar, "manifests", "1", json.dumps(manifest).encode(), MANIFEST)
    return manifest


def refused(me, liar, saying=""):
    """The pull fails, and nothing is left but what another attempt goes on with."""
    before = me.files()
    me.fails(1, "pull", f"{liar.name}:1", saying=saying, timeout=60)
    assert me.ok("images", "-q", liar.name) == ""
    left = {f for f in me.files() - before if "/journal" not in f and not f.endswith("/content/partial")}
    assert all(os.path.dirname(f) == str(me.root / "content/partial") for f in left), left


def big_layer(megabytes):
    """A tar with a file of random bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("data")
        entry.size = megabytes << 20
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return out.getvalue()


@pytest.fixture
def layer(tree_tar):
    """Another one than that of `busybox` in the store."""
    return tree_tar.read_bytes()


def test_an_honest_server_is_believed(me, liar, layer):
    put_image(liar, layer)
    me.ok("pull", f"{liar.name}:1")
    assert me.ok("run", "--rm", "--network", "none", f"{liar.name}:1", "echo", "fine") == "fine\n"


def test_R16_blobs_of_another_content(me, liar, layer):
    put_image(liar, layer)
    put(liar, "blobs", digest_of(layer), layer[:-1] + b"x")
    refused(me, liar, "sha256")


def test_R16_blobs_that_are_longer_or_shorter(me, liar, layer):
    put_image(liar, layer)
    put(liar, "blobs", digest_of(layer), layer + b"more")
    refused(me, liar, "more than")
    me.ok("image", "prune", "-f")
    put(liar, "blobs", digest_of(layer), layer[:1000])
    refused(me, liar)


def test_R16_blobs_that_break_off(me, liar, layer):
    put_image(liar, layer)
    put(liar, "blobs", digest_of(layer), layer[:1000], length=len(layer))
    refused(me, liar)
    assert any("bytes=1000-" in h.get("Range", "") for p, h in liar.seen if "blobs" in p), "it is tried from where it broke"


def test_F06_a_pull_goes_on_where_it_was_cut(me, liar):
    """Parts of a large layer, whatever came of them before the connection was cut."""
    layer = big_layer(34)
    put_image(liar, layer)
    liar.ranges = []
    for _ in range(3):
        liar.budget = len(layer) // 4
        me.fails(1, "pull", f"{liar.name}:1", timeout=120)
    liar.budget = 1 << 40
    me.ok("pull", f"{liar.name}:1", timeout=120)
    assert len(layer) <= liar.given < 1.01 * len(layer) + 4096, (liar.given, len(layer))
    assert any(begin % (16 << 20) for begin, _ in liar.ranges), liar.ranges
    assert not list((me.root / "content/partial").iterdir())


def test_F06_without_ranges_it_is_fetched_again(me, liar):
    layer = big_layer(17)
    put_image(liar, layer)
    liar.budget = len(layer) // 2
    me.fails(1, "pull", f"{liar.name}:1", timeout=120)
    liar.budget = 1 << 40
    me.ok("pull", f"{liar.name}:1", timeout=120)


def test_F06_what_was_damaged_meanwhile_is_fetched_again(me, liar):
    layer = big_layer(17)
    put_image(liar, layer)
    liar.ranges, liar.budget = [], len(layer) // 2
    me.fails(1, "pull", f"{liar.name}:1", timeout=120)
    partial = me.root / "content/partial" / digest_of(layer)[7:]
    with open(partial, "r+b") as f:
        f.write(b"damage")
    liar.budget = 1 << 40
    me.fails(1, "pull", f"{liar.name}:1", saying="digest", timeout=120)
    assert not partial.exists()
    me.ok("pull", f"{liar.name}:1", timeout=120)


def test_what_came_of_a_pull_is_pruned(me, liar):
    layer = big_layer(2)
    put_image(liar, layer)
    liar.ranges, liar.budget = [], len(layer) // 2
    me.fails(1, "pull", f"{liar.name}:1", timeout=120)
    assert list((me.root / "content/partial").iterdir())
    assert "Total reclaimed space: 0B" not in me.ok("image", "prune", "-f")
    assert not list((me.root / "content/partial").iterdir())


def test_R16_a_manifest_of_another_digest(me, liar, layer):
    put_image(liar, layer)
    wanted = "sha256:" + hashlib.sha256(b"other").hexdigest()
    liar.answers[f"/v2/x/manifests/{wanted}"] = liar.answers["/v2/x/manifests/1"]
    me.fails(1, "pull", f"{liar.name}@{wanted}", saying="another document")


def test_R16_documents_that_are_too_large_or_endless(me, liar, layer):
    put_image(liar, layer)
    put(liar, "manifests", "1", b'{"schemaVersion":2,"x":"' + b"y" * (5 << 20) + b'"}', MANIFEST)
    refused(me, liar, "more than")


def test_U25_indexes_that_hold_themselves_or_nest_without_end(me, liar):
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    for i in range(12):
        put(liar, "manifests", digest_of(body), body, INDEX)
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": INDEX, "digest": digest_of(body), "size": len(body), "platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
    put(liar, "manifests", "1", body, INDEX)
    refused(me, liar, "nested")


@pytest.mark.parametrize("change,saying", [
    ({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest_of(b"{}"), "size": 2}}, "no image"),
    ({"schemaVersion": 1}, ""), ({"layers": "none"}, ""), ({"manifests": []}, "")])
def test_U23_other_artifacts_and_ambiguous_documents(me, liar, layer, change, saying):
    put_image(liar, layer, **change)
    refused(me, liar, saying)


def test_R15_credentials_stay_with_their_host(me, liar, layer, scratch):
    """A redirect to another host gets none; nor does a token server without https elsewhere."""
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    other.ranges = None
    other.answers, other.seen = {"/blob": (200, {}, layer, None)}, []
    thread = threading.Thread(target=other.serve_forever)
    thread.start()
    try:
        put_image(liar, layer)
        liar.answers[f"/v2/x/blobs/{digest_of(layer)}"] = (307, {"Location": f"http://localhost:{other.server_port}/blob"}, b"", None)
        (scratch / "docker-config").mkdir()
        (scratch / "docker-config" / "config.json").write_text(
            json.dumps({"auths": {f"127.0.0.1:{liar.server_port}": {"auth": "bWU6c2VjcmV0"}}}))
        guarded = dict(liar.answers)
        liar.answers = {p: (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"", None) for p in guarded}

        class Once(dict):
            def get(self, path, default):
                if "Authorization" in liar.seen[-1][1]:
                    return guarded.get(path, default)
                return (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"", None)
        liar.answers = Once()
        me.ok("pull", f"{liar.name}:1")
        assert other.seen and not any("Authorization" in h for _, h in other.seen), other.seen
    finally:
        other.shutdown()
        thread.join()
        other.server_close()


def test_R15_a_challenge_of_another_server_is_not_answered(me, liar, layer, scratch):
    """Else whoever a redirect leads to names a realm of its own, and gets the password there."""
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    other.ranges = None
    realm = f"http://localhost:{other.server_port}/token"
    other.answers, other.seen = {"/blob": (401, {"WWW-Authenticate": f'Bearer realm="{realm}"'}, b"", None)}, []
    thread = threading.Thread(target=other.serve_forever)
    thread.start()
    try:
        put_image(liar, layer)
        liar.answers[f"/v2/x/blobs/{digest_of(layer)}"] = (307, {"Location": f"http://localhost:{other.server_port}/blob"}, b"", None)
        (scratch / "docker-config").mkdir()
        (scratch / "docker-config" / "config.json").write_text(
            json.dumps({"auths": {f"127.0.0.1:{liar.server_port}": {"auth": "bWU6c2VjcmV0"}}}))
        refused(me, liar, "denied")
        assert [p for p, _ in other.seen] == ["/blob"] and not any("Authorization" in h for _, h in other.seen), other.seen
    finally:
        other.shutdown()
        thread.join()
        other.server_close()


class Tokens(dict):
    """Answers for whoever has a token; each is good for some requests."""

    def __init__(self, liar, uses):
        super().__init__(liar.answers)
        self.liar, self.good_for, self.given, self.left = liar, uses, 0, {}
        self.realm = f"http://127.0.0.1:{liar.server_port}/token"

    def get(self, path, default=None):
        if path.startswith("/token"):
            self.given += 1
            self.left[f"Bearer t{self.given}"] = self.good_for
            return (200, {}, json.dumps({"token": f"t{self.given}"}).encode(), None)
        mine = next(h for p, h in reversed(self.liar.seen) if p == path).get("Authorization")
        if not self.left.get(mine):
            return (401, {"WWW-Authenticate": f'Bearer realm="{self.realm}",service="s"'}, b"", None)
        self.left[mine] -= 1
        return super().get(path, default)


def test_a_token_that_expires_is_renewed(me, liar, layer):
    put_image(liar, layer)
    liar.answers = Tokens(liar, 1)
    me.ok("pull", f"{liar.name}:1")
    assert liar.answers.given == 3, "one for each of manifest, configuration and layer"


def test_R16_tokens_that_are_never_good_are_not_asked_for_again(me, liar, layer):
    put_image(liar, layer)
    liar.answers = Tokens(liar, 0)
    refused(me, liar, "denied")
    assert liar.answers.given == 1


def test_R16_a_rate_limit_is_named_and_tried_again(me, liar, layer):
    put_image(liar, layer)
    liar.answers["/v2/x/manifests/1"] = (429, {"Retry-After": "0"}, b"", None)
    refused(me, liar, "rate limit")
    assert sum("manifests" in p for p, _ in liar.seen) > 2


# -- builds -----------------------------------------------------------------------------------------

def test_a_build_pulls_its_base(me, server, scratch):
    name = f"127.0.0.1:{server.port}/base:1"
    me.ok("tag", "busybox", name)
    me.ok("push", name)
    me.ok("rmi", name, "busybox")
    (scratch / "context").mkdir()
    (scratch / "context" / "Dockerfile").write_text(f"FROM {name}\nLABEL made=here\n")
    me.ok("build", "-q", "-t", "made", scratch / "context")
    assert me.inspect("made")["Config"]["Labels"] == {"made": "here"}
    me.ok("build", "--pull", "-q", "-t", "made", scratch / "context")
    (scratch / "context" / "Dockerfile").write_text(f"FROM {name}0\n")
    me.fails(1, "build", scratch / "context", saying="unknown")
