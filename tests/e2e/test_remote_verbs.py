# SPDX-License-Identifier: Apache-2.0
"""manifest, search, image copy: against our own server."""
import base64
import hashlib
import json
import shutil
import ssl
import subprocess
import threading
import http.server

import pytest

from harness.registry import Registry

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
    box.env = {"DOCKER_CONFIG": str(scratch / "docker-config"), "HOME": str(scratch)}
    return box


@pytest.fixture
def two(me, server):
    """`app:1` and `app:2`, of different content, in the registry."""
    host = f"127.0.0.1:{server.port}"
    me.ok("tag", "busybox", f"{host}/app:1")
    me.ok("run", "--name", "changed", "--network", "none", "busybox", "touch", "/new")
    me.ok("commit", "changed", f"{host}/app:2")
    me.ok("rm", "changed")
    for tag in "12":
        me.ok("push", "-q", f"{host}/app:{tag}")
    return host


def test_a_list_of_manifests_is_made_annotated_and_pushed(me, two):
    name = f"{two}/app:all"
    assert me.ok("manifest", "create", name, f"{two}/app:1", f"{two}/app:2") == f"Created manifest list {name}\n"
    me.fails(1, "manifest", "create", name, f"{two}/app:1", saying="--amend")
    me.ok("manifest", "create", "--amend", name, f"{two}/app:2")
    me.ok("manifest", "annotate", "--arch", "arm64", "--variant", "v8", name, f"{two}/app:2")
    me.fails(1, "manifest", "annotate", "--arch", "x", name, f"{two}/app:3", saying="does not exist")
    local = json.loads(me.ok("manifest", "inspect", name))
    assert [m["platform"] for m in local["manifests"]] == [
        {"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux", "variant": "v8"}]
    digest = me.ok("manifest", "push", "--purge", name).splitlines()[-1]
    me.fails(1, "manifest", "rm", name, saying="No such manifest")
    assert json.loads(me.ok("manifest", "inspect", name)) == local
    assert json.loads(me.ok("manifest", "inspect", f"{two}/app@{digest}")) == local
    text = me.ok("manifest", "inspect", f"{two}/app:1")
    assert text.startswith('{\n\t"schemaVersion": 2,') and json.loads(text)["layers"]
    me.fails(1, "manifest", "inspect", f"{two}/app:none", saying="unknown")
    me.ok("pull", "--platform", "linux/arm64", "-q", name)


def test_inspect_verbose_shows_each_image(me, two):
    name = f"{two}/app:all"
    plain = me.ok("manifest", "inspect", f"{two}/app:1")
    one = json.loads(me.ok("manifest", "inspect", "-v", f"{two}/app:1"))
    assert one["Ref"] == f"{two}/app:1" and one["Descriptor"]["platform"] == {"architecture": "amd64", "os": "linux"}
    raw = base64.b64decode(one["Raw"])
    assert one["Descriptor"]["digest"] == "sha256:" + hashlib.sha256(raw).hexdigest() and one["Descriptor"]["size"] == len(raw)
    assert json.loads(raw) == one["OCIManifest" if ".oci." in one["Descriptor"]["mediaType"] else "SchemaV2Manifest"] == json.loads(plain)
    me.ok("manifest", "create", name, f"{two}/app:1", f"{two}/app:2")
    local = me.ok("manifest", "inspect", "--verbose", name)
    me.ok("manifest", "push", "--purge", name)
    assert me.ok("manifest", "inspect", "--verbose", name) == local
    images = json.loads(local)
    assert [i["Ref"] for i in images] == [f"{name}@{i['Descriptor']['digest']}" for i in images]
    assert images[0]["Raw"] == one["Raw"] and len(images) == 2


def test_a_list_of_another_repository_brings_its_images(me, two):
    name = f"{two}/elsewhere:all"
    me.ok("manifest", "create", name, f"{two}/app:1", f"{two}/app:2")
    assert me.ok("manifest", "push", name).count("Pushed ref") == 2
    me.fails(1, "manifest", "create", f"{two}/nested:1", name, saying="is a manifest list")
    me.ok("manifest", "rm", name)
    me.ok("pull", "-q", name)


def test_an_image_is_copied_from_registry_to_registry(me, two, scratch):
    me.ok("manifest", "create", f"{two}/app:all", f"{two}/app:1", f"{two}/app:2")
    me.ok("manifest", "push", f"{two}/app:all")
    (scratch / "second").mkdir()
    other = Registry(scratch / "second").start()
    try:
        target = f"127.0.0.1:{other.port}/copied/app:x"
        before = me.ok("images", "-q")
        out = me.ok("image", "copy", f"{two}/app:all", target)
        assert "Copied" in out and out.splitlines()[-1].startswith("x: digest: sha256:")
        assert me.ok("manifest", "inspect", target) == me.ok("manifest", "inspect", f"{two}/app:all")
        digest = me.ok("image", "copy", "-q", f"{two}/app:all", target).strip()
        assert me.ok("image", "copy", "-q", f"{two}/app@{digest}", f"{two}/again:1").strip() == digest
        assert me.ok("images", "-q") == before
        me.ok("pull", "-q", target)
        me.fails(1, "image", "copy", f"{two}/none:1", target, saying="unknown")
        me.fails(1, "image", "copy", f"{two}/app:all", f"{two}/app@{digest}", saying="digest")
    finally:
        other.stop()


def test_a_catalog_is_searched(me, two):
    me.ok("image", "copy", "-q", f"{two}/app:1", f"{two}/team/tool:1")
    assert [line.split()[0] for line in me.ok("search", f"{two}/app").splitlines()] == ["NAME", f"{two}/app"]
    assert f"{two}/team/tool" in me.ok("search", f"{two}/tool")
    assert len(me.ok("search", "--limit", "1", f"{two}/o").splitlines()) == 2
    me.fails(1, "search", "--limit", "0", f"{two}/app", saying="Limit")
    assert me.ok("search", f"{two}/app").splitlines()[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    assert me.ok("search", "--format", "{{.Name}} {{.StarCount}}", f"{two}/app") == f"{two}/app 0\n"
    assert json.loads(me.ok("search", "--format", "json", f"{two}/app"))["Name"] == f"{two}/app"
    assert me.ok("search", "-f", "stars=1", "--format", "{{.Name}}", f"{two}/app") == ""
    assert me.ok("search", "-f", "is-official=true", "--format", "{{.Name}}", f"{two}/app") == ""
    assert me.ok("search", "-f", "is-official=false", "--format", "{{.Name}}", f"{two}/app") == f"{two}/app\n"
    for bad in ("stars=many", "is-official=maybe", "colour=red"):
        me.fails(1, "search", "-f", bad, f"{two}/app", saying="invalid filter '" + bad.split("=")[0])


# -- the configuration ------------------------------------------------------------------------------

@pytest.fixture
def configure(me, scratch):
    def write(**registries):
        (scratch / "config.json").write_text(json.dumps({"registries": registries, "certificates": str(scratch / "certs")}))
        me.env["KOGGE_CONFIG"] = str(scratch / "config.json")
    return write


def test_mirrors_are_asked_first_and_the_registry_after_them(me, two, configure):
    me.ok("image", "copy", "-q", f"{two}/app:1", f"{two}/cached/team/x:1")
    configure(**{"registry.invalid": {"mirrors": ["127.0.0.1:1", f"{two}/nothing", f"{two}/cached"], "mirrorsOnly": True},
                 two: {"mirrors": ["127.0.0.1:1"]}})
    out = me.ok("pull", "registry.invalid/team/x:1")
    assert "Status: Downloaded newer image for registry.invalid/team/x:1" in out
    me.fails(1, "pull", "registry.invalid/team/y:1", saying="by its mirrors alone")
    me.ok("pull", "-q", f"{two}/app:2")
    configure(**{"*": {"blocked": True}, "*.invalid": {}})
    me.fails(1, "pull", f"{two}/app:1", saying="blocks")
    me.fails(1, "push", f"{two}/app:1", saying="blocks")


def test_a_wrong_configuration_is_named(me, two, scratch, configure):
    configure(**{two: {"mirror": []}})
    me.fails(1, "pull", f"{two}/app:1", saying="'mirror' is unknown")
    configure(**{two: {"mirrors": ["http://x"]}})
    me.fails(1, "pull", f"{two}/app:1", saying="no mirror")
    (scratch / "config.json").write_text("[")
    me.fails(1, "pull", f"{two}/app:1", saying="config.json")


class Document(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def test_certificates_of_both_sides(me, scratch, configure):
    """A server that wants a certificate, with one of its own that nobody knows."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    for name in ("server", "client"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", scratch / f"{name}.key", "-out",
                        scratch / f"{name}.crt"], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(scratch / "server.crt", scratch / "server.key")
    context.load_verify_locations(scratch / "client.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Document)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        host = f"127.0.0.1:{server.server_port}"
        name, certs = f"{host}/x:1", scratch / "certs" / host
        certs.mkdir(parents=True)
        configure()
        me.fails(1, "manifest", "inspect", name, saying="certificate")
        shutil.copy(scratch / "server.crt", certs / "ca.crt")
        me.fails(1, "manifest", "inspect", name)
        shutil.copy(scratch / "client.crt", certs / "us.cert")
        me.fails(1, "manifest", "inspect", name, saying="key of 'us.cert' is missing")
        shutil.copy(scratch / "client.key", certs / "us.key")
        assert me.ok("manifest", "inspect", name) == "{}\n"
        (certs / "ca.crt").unlink()
        me.fails(1, "manifest", "inspect", name, saying="certificate")
        configure(**{host: {"insecure": True}})
        assert me.ok("manifest", "inspect", name) == "{}\n"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
