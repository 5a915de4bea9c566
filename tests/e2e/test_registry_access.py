# SPDX-License-Identifier: Apache-2.0
"""kogge-registry with a configuration: users, tokens, rules, TLS, quotas, tags that never change.
Families R04, R06, R08 and R19 of docs/SECURITY.md."""
import base64
import json
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
import warnings

import pytest

from harness import program
from harness.registry import digest_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its removal after Debian 12
    import crypt

PASSWORDS = {"alice": "wonder:land", "bob": "builder"}


def basic(user, password=None):
    text = f"{user}:{PASSWORDS.get(user) if password is None else password}"
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def openssl(*args, input=None):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    return subprocess.run(["openssl", *map(str, args)], input=input, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


@pytest.fixture
def configured(scratch, make_registry):
    """configured(FIELD=...) starts a registry with that configuration; users are those above."""
    def start(users=True, **fields):
        if users:
            salt = "$2b$04$" + "abcdefghijklmnopqrstuu"
            (scratch / "htpasswd").write_text("".join(f"{u}:{crypt.crypt(p, salt)}\n" for u, p in PASSWORDS.items()))
            fields["users"] = str(scratch / "htpasswd")
        (scratch / "config.json").write_text(json.dumps(fields))
        return make_registry("--config", scratch / "config.json")
    return start


RULES = [{"users": ["alice"], "repositories": ["**"], "actions": ["*"]},
         {"users": ["bob"], "repositories": ["team/*"], "actions": ["pull", "push"]},
         {"users": ["anonymous", "*"], "repositories": ["public/**"], "actions": ["pull"]}]


def post(registry, name, headers):
    return registry.request("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(b'x')}", b"x", headers).status


def test_users_with_passwords(configured):
    registry = configured()
    answer = registry.request("GET", "/v2/")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert registry.request("GET", "/v2/", headers=basic("alice")).status == 200
    assert registry.request("GET", "/v2/", headers=basic("alice")).status == 200
    for user, password in (("alice", "wrong"), ("alice", ""), ("nobody", "x"), ("", ""), ("anonymous", "x")):
        assert registry.request("GET", "/v2/", headers=basic(user, password)).status == 401
    assert post(registry, "a", {}) == 401
    assert post(registry, "a", basic("bob")) == 201
    assert registry.request("GET", "/healthz").status == 200


def test_rules_per_repository_and_action(configured):
    registry = configured(rules=RULES)
    assert post(registry, "public/a", basic("alice")) == 201
    assert post(registry, "team/a", basic("bob")) == 201
    assert post(registry, "team/a/b", basic("bob")) == 403
    assert post(registry, "other", basic("bob")) == 403
    assert post(registry, "public/a", {}) == 401
    d = digest_of(b"x")
    assert registry.request("GET", f"/v2/public/a/blobs/{d}").status == 200
    assert registry.request("GET", f"/v2/team/a/blobs/{d}").status == 401
    assert registry.request("GET", f"/v2/team/a/blobs/{d}", headers=basic("bob", "wrong")).status == 401
    assert registry.request("DELETE", f"/v2/team/a/blobs/{d}", headers=basic("bob")).code == "DENIED"
    assert registry.request("GET", "/v2/_catalog", headers=basic("bob")).status == 403
    assert registry.request("GET", "/v2/_catalog", headers=basic("alice")).status == 200
    assert registry.request("GET", "/metrics", headers=basic("bob")).status == 403
    assert b"kogge_registry_requests_total" in registry.request("GET", "/metrics", headers=basic("alice")).body


def test_R04_a_mount_from_where_one_may_not_read_is_an_upload(configured):
    registry = configured(rules=RULES)
    d = digest_of(b"x")
    assert post(registry, "secret", basic("alice")) == 201
    for query in (f"mount={d}&from=secret", f"mount={d}", f"mount={digest_of(b'none')}&from=secret"):
        assert registry.request("POST", f"/v2/team/a/blobs/uploads/?{query}", headers=basic("bob")).status == 202
    assert registry.request("POST", f"/v2/team/a/blobs/uploads/?mount={d}&from=secret", headers=basic("alice")).status == 201


def test_an_upload_is_not_taken_over_by_another_user(configured):
    registry = configured()
    where = registry.request("POST", "/v2/a/blobs/uploads/", headers=basic("alice")).headers["Location"]
    assert registry.request("PATCH", where, b"x", basic("bob")).code == "BLOB_UPLOAD_UNKNOWN"
    assert registry.request("PATCH", where, b"x", basic("alice")).status == 202


def test_R08_who_may_push_moves_no_tag_that_never_changes(configured):
    registry = configured(users=False, immutableTags=[{"repositories": "prod/*", "tags": "v*"}])
    d = registry.push_image("prod/a", "v1")
    other = registry.image("prod/a", layers=(b"other",))
    assert registry.put_manifest("prod/a", "v1", other).code == "DENIED"
    assert registry.put_manifest("prod/a", "v1", registry.image("prod/a")).status == 201  # the same again
    assert registry.request("DELETE", "/v2/prod/a/manifests/v1").status == 403
    assert registry.request("DELETE", f"/v2/prod/a/manifests/{d}").status == 403
    assert registry.put_manifest("prod/a", "latest", other).status == 201
    assert registry.request("DELETE", "/v2/prod/a/manifests/latest").status == 202
    assert registry.request("HEAD", "/v2/prod/a/manifests/v1").headers["Docker-Content-Digest"] == d


def test_R19_a_quota_is_not_passed(configured):
    registry = configured(users=False, quotas=[{"repositories": "small/**", "bytes": "10k"}])
    registry.push_blob("small/a", b"x" * 8000)
    answer = registry.request("POST", f"/v2/small/a/blobs/uploads/?digest={digest_of(b'y' * 4000)}", b"y" * 4000)
    assert (answer.status, answer.code) == (403, "DENIED")
    registry.push_blob("small/a", b"z" * 1000)
    d = registry.push_blob("large", b"w" * 100000)
    assert registry.request("POST", f"/v2/small/a/blobs/uploads/?mount={d}&from=large").status == 403
    assert registry.files("uploads") == {}


def test_what_is_wrong_in_the_configuration_is_named(scratch):
    for text, word in (("{", "parsing"), ('{"lissten": "x"}', "did you mean listen"), ('{"rules": [{"actions": ["fly"]}]}', "rules"),
                       ('{"tls": {"key": "x"}}', "certificate"), ('{"quotas": [{"bytes": "many"}]}', "bytes"),
                       ('{"users": "/does/not/exist"}', "/does/not/exist"), ('{"token": {"realm": "x"}}', "token")):
        (scratch / "config.json").write_text(text)
        result = program.run([program.PROGRAMS / "kogge-registry", "serve", "--listen", "127.0.0.1:0", "--root", scratch / "r", "--config",
                              scratch / "config.json"])
        assert result.code == 1 and word in result.err, result


@pytest.fixture
def tokens(configured, scratch):
    """A registry with its own issuer, and foreign keys beside it."""
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", scratch / "own.pem")
    openssl("genrsa", "-out", scratch / "rsa.pem", "2048")
    openssl("rsa", "-in", scratch / "rsa.pem", "-pubout", "-out", scratch / "rsa.pub")
    return configured(rules=RULES, token={"realm": "http://127.0.0.1/token", "service": "here", "issuer": "us",
                                          "signingKey": str(scratch / "own.pem"), "keys": [str(scratch / "rsa.pub")]})


def own_token(registry, scope, user=None):
    answer = registry.request("GET", f"/token?service=here&scope={scope}", headers=basic(user) if user else {})
    assert answer.status == 200, answer
    assert answer.json["token"] == answer.json["access_token"]
    return answer.json["token"]


def test_tokens_of_the_own_issuer(tokens):
    answer = tokens.request("POST", "/v2/team/a/blobs/uploads/")
    assert answer.headers["WWW-Authenticate"] == \
        'Bearer realm="http://127.0.0.1/token",service="here",scope="repository:team/a:pull,push"'
    token = own_token(tokens, "repository:team/a:pull,push,delete", "bob")
    assert post(tokens, "team/a", bearer(token)) == 201
    assert post(tokens, "team/b", bearer(token)) == 401
    assert tokens.request("DELETE", f"/v2/team/a/blobs/{digest_of(b'x')}", headers=bearer(token)).status == 401
    assert post(tokens, "other", bearer(own_token(tokens, "repository:other:push", "bob"))) == 401
    assert tokens.request("GET", "/v2/", headers=bearer(token)).status == 200
    assert post(tokens, "public/a", basic("alice")) == 201
    d = digest_of(b"x")
    assert tokens.request("GET", f"/v2/public/a/blobs/{d}", headers=bearer(own_token(tokens, "repository:public/a:pull"))).status == 200
    assert tokens.request("GET", "/token?service=other").status == 400
    assert tokens.request("GET", "/token?service=here", headers=basic("bob", "wrong")).status == 401


def test_R06_a_token_is_not_exchanged_for_another(tokens):
    """One that pulls from a single repository would else become one with all that its user may do."""
    small = own_token(tokens, "repository:team/a:pull", "bob")
    answer = tokens.request("GET", "/token?service=here&scope=repository:team/a:push", headers=bearer(small))
    assert answer.status == 401 and "token" not in answer.json, answer


def encode(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def sign(scratch, claims=None, header=None, key="rsa.pem"):
    now = int(time.time())
    claims = {"iss": "us", "aud": "here", "exp": now + 300, "nbf": now - 5, "sub": "x",
              "access": [{"type": "repository", "name": "team/a", "actions": ["pull", "push"]}], **(claims or {})}
    text = encode({"alg": "RS256", "typ": "JWT", **(header or {})}) + "." + encode({k: v for k, v in claims.items() if v is not None})
    return f"{text}.{encode(openssl('dgst', '-sha256', '-sign', scratch / key, input=text.encode()))}"


def test_R06_tokens_of_a_foreign_issuer(tokens, scratch):
    assert post(tokens, "team/a", bearer(sign(scratch))) == 201
    assert post(tokens, "team/a", bearer(sign(scratch, {"aud": ["there", "here"]}))) == 201


def test_R06_tokens_that_are_not_taken(tokens, scratch):
    now = int(time.time())
    openssl("genrsa", "-out", scratch / "evil.pem", "2048")
    public = (scratch / "rsa.pub").read_bytes()
    good = sign(scratch)
    head, body, signature = good.split(".")
    hmac_text = encode({"alg": "HS256"}) + "." + body
    mac = openssl("dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt", "hexkey:" + public.hex(), input=hmac_text.encode())
    bad = {
        "expired": sign(scratch, {"exp": now - 3600}), "no end": sign(scratch, {"exp": None}), "not yet": sign(scratch, {"nbf": now + 3600}),
        "another audience": sign(scratch, {"aud": "there"}), "no audience": sign(scratch, {"aud": None}),
        "another issuer": sign(scratch, {"iss": "them"}), "end as text": sign(scratch, {"exp": str(now + 300)}),
        "another key": sign(scratch, key="evil.pem"), "with its own key": sign(scratch, None, {"jwk": {"kty": "RSA"}, "kid": "x"}, "evil.pem"),
        "unknown extensions": sign(scratch, None, {"crit": ["b64"]}), "another algorithm": sign(scratch, None, {"alg": "RS512"}),
        "of another kind": sign(scratch, None, {"alg": "ES256"}), "none": encode({"alg": "none"}) + f".{body}.",
        "None": encode({"alg": "None"}) + f".{body}.{signature}", "the public key as a secret": f"{hmac_text}.{encode(mac)}",
        "changed": f"{head}.{encode({'iss': 'us', 'aud': 'here', 'exp': now + 300})}.{signature}", "no signature": f"{head}.{body}.",
        "empty": "", "dots": "." * 8000, "four parts": good + ".x", "not base64": "!.!.!",
        "an array": f"{encode([])}.{body}.{signature}", "long": "x" * 20000,
    }
    for name, token in bad.items():
        assert post(tokens, "team/a", bearer(token)) in (401, 413, 431), name
    assert post(tokens, "team/a", bearer(good)) == 201


def certificate(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem")


def test_tls_with_a_certificate_that_is_exchanged(configured, scratch):
    certificate(scratch, "first")
    registry = configured(users=False, tls={"certificate": str(scratch / "cert.pem"), "key": str(scratch / "key.pem")})

    def get():
        context = ssl.create_default_context(cafile=scratch / "cert.pem")
        with urllib.request.urlopen(f"https://{registry.host}/v2/", context=context, timeout=60) as answer:
            return answer.status
    assert get() == 200
    (scratch / "cert.pem").write_text("broken")
    registry.process.send_signal(signal.SIGHUP)
    while b"certificate" not in registry.log.read_bytes():
        time.sleep(0.01)
    certificate(scratch, "second")
    registry.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 60
    while True:
        try:
            assert get() == 200
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.mark.needs_root
def test_docker_logs_in_pushes_and_pulls(configured, docker, kogge, busybox_tar, scratch):
    registry = configured(rules=RULES)
    kogge.ok("import", busybox_tar, "busybox:login")
    kogge.ok("save", "-o", scratch / "box.tar", "busybox:login")
    docker.ok("load", "-i", scratch / "box.tar")
    name = f"{registry.host}/team/busybox"
    docker.ok("tag", "busybox:login", name)
    assert docker("push", name).code != 0
    docker.ok("login", "-u", "bob", "--password-stdin", registry.host, input=PASSWORDS["bob"])
    try:
        docker.ok("push", name)
        docker.ok("pull", name)
    finally:
        docker.ok("logout", registry.host)
        docker("rmi", "-f", name, "busybox:login")


def test_A03_a_head_that_trickles_for_ever_ends(configured):
    registry = configured(users=False, limits={"headSeconds": 1})
    with socket.create_connection(("127.0.0.1", registry.port), 60) as idle, \
            socket.create_connection(("127.0.0.1", registry.port), 60) as slow:
        slow.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n")
        slow.settimeout(0.05)
        end, closed = time.monotonic() + 60, False
        while not closed:
            assert time.monotonic() < end
            try:
                slow.sendall(b"X: y\r\n")
                closed = slow.recv(4096) == b""
            except TimeoutError:
                assert registry.request("GET", "/v2/").status == 200
            except ConnectionError:
                closed = True
        assert idle.recv(1) == b""


def test_who_asks_too_often_waits(configured):
    registry = configured(users=False, limits={"requestsPerSecond": 1, "burst": 3})
    answers = [registry.request("GET", "/v2/") for _ in range(20)]
    refused = [a for a in answers if a.status == 429]
    assert answers[0].status == 200 and len(refused) >= 5
    assert refused[0].code == "TOOMANYREQUESTS"
    assert int(refused[0].headers["Retry-After"]) in range(1, 4)
    assert registry.request("GET", "/healthz").status == 200
