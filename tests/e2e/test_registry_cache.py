# SPDX-License-Identifier: Apache-2.0
"""kogge-registry as a pull-through cache of other registries."""
import base64
import concurrent.futures
import json
import os
import socket
import warnings

import pytest

from harness import program
from harness.registry import INDEX, MANIFEST, digest_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import crypt


@pytest.fixture
def pair(scratch, make_registry):
    """pair(FIELD=...) starts an upstream and a cache of it below the prefix "up"."""
    def start(upstream_arguments=(), more=(), **fields):
        upstream = make_registry("--log", "all", *upstream_arguments)
        config = {"cache": [{"prefix": "up", "host": upstream.host, **fields}, *more]}
        (scratch / "cache.json").write_text(json.dumps(config))
        return upstream, make_registry("--config", scratch / "cache.json")
    return start


def asked(upstream, method, part):
    """How often the upstream has answered such a request with a body."""
    lines = [json.loads(line) for line in upstream.log.read_text().splitlines() if line.startswith("{")]
    return sum(1 for line in lines if line["method"] == method and part in line["uri"] and line["status"] == 200)


def test_what_is_missing_is_fetched_once_and_served_when_the_upstream_is_gone(pair):
    upstream, cache = pair(tagSeconds=0)
    layer = os.urandom(3 << 20)
    digest = upstream.push_image("lib/a", "t", layers=(layer,))
    for _ in range(2):
        answer = cache.request("GET", "/v2/up/lib/a/manifests/t", headers={"Accept": MANIFEST})
        assert answer.status == 200 and answer.headers["Docker-Content-Digest"] == digest, answer
        assert cache.request("GET", f"/v2/up/lib/a/blobs/{digest_of(layer)}").body == layer
    for name in ("manifests/t", f"manifests/{digest}"):
        assert cache.request("HEAD", f"/v2/up/lib/a/{name}").status == 200
    assert asked(upstream, "GET", digest_of(layer)) == 1
    assert asked(upstream, "GET", "manifests") == 1
    assert cache.request("GET", "/v2/up/lib/a/tags/list").json["tags"] == ["t"]
    upstream.stop()
    answer = cache.request("GET", "/v2/up/lib/a/manifests/t")
    assert answer.status == 200 and answer.headers["Warning"].startswith("110"), answer
    assert cache.request("GET", f"/v2/up/lib/a/blobs/{digest_of(layer)}").body == layer
    assert cache.request("GET", "/v2/up/lib/a/manifests/other").status == 502
    cache.stop()
    result = program.run([program.PROGRAMS / "kogge-registry", "scrub", "--root", cache.root])
    assert result.code == 0, result


def test_a_tag_is_as_new_as_its_time_says(pair):
    upstream, cache = pair(tagSeconds=3600, more=[{"prefix": "now", "host": "127.0.0.1:1"}])
    first = upstream.push_image("a", "t", layers=(b"1",))
    head = lambda: cache.request("HEAD", "/v2/up/a/manifests/t").headers["Docker-Content-Digest"]  # noqa: E731
    assert head() == first
    second = upstream.push_image("a", "t", layers=(b"2",))
    assert head() == first
    tag = cache.root / "repositories/up/a/_tags/t"
    os.utime(tag, (0, 0))
    assert head() == second
    assert upstream.request("DELETE", "/v2/a/manifests/t").status == 202
    assert head() == second
    os.utime(tag, (0, 0))
    assert cache.request("HEAD", "/v2/up/a/manifests/t").status == 404
    assert not tag.exists()
    assert cache.request("GET", f"/v2/up/a/manifests/{second}").status == 200


def test_many_who_miss_the_same_wait_for_one_fetch(pair):
    upstream, cache = pair()
    layer = os.urandom(8 << 20)
    upstream.push_image("a", "t", layers=(layer,))
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: cache.request("GET", f"/v2/up/a/blobs/{digest_of(layer)}"), range(30)))
    assert all(answer.body == layer for answer in answers)
    assert asked(upstream, "GET", digest_of(layer)) == 1


def test_pushed_repositories_stand_beside_it_and_no_push_goes_into_it(pair):
    upstream, cache = pair()
    upstream.push_image("a", "t")
    mine = cache.push_image("mine", "t")
    assert cache.request("GET", "/v2/mine/manifests/t").headers["Docker-Content-Digest"] == mine
    assert cache.request("GET", "/v2/mine/manifests/other").status == 404
    assert cache.request("POST", "/v2/up/a/blobs/uploads/").status == 405
    assert cache.put_manifest("up/a", "t", b"{}").status == 405
    assert cache.push_image("upper", "t")
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": MANIFEST, "digest": upstream.request("HEAD", "/v2/a/manifests/t").headers["Docker-Content-Digest"], "size": 10}]}
    assert upstream.put_manifest("a", "index", index, INDEX).status == 201
    assert cache.request("GET", "/v2/up/a/manifests/index").headers["Content-Type"] == INDEX


def test_an_upstream_that_wants_a_password(scratch, pair):
    (scratch / "htpasswd").write_text("alice:" + crypt.crypt("wonder", "$2b$04$" + "abcdefghijklmnopqrstuu") + "\n")
    (scratch / "users.json").write_text(json.dumps({"users": str(scratch / "htpasswd")}))
    (scratch / "password").write_text("wonder\n")
    (scratch / "wrong").write_text("no")
    config = {"user": "alice", "passwordFile": str(scratch / "password")}
    upstream, cache = pair(("--config", scratch / "users.json"), **config)
    basic = {"Authorization": "Basic " + base64.b64encode(b"alice:wonder").decode()}
    data = b'{"schemaVersion":2,"mediaType":"%s","manifests":[]}' % INDEX.encode()
    assert upstream.request("PUT", "/v2/a/manifests/t", data, dict(basic, **{"Content-Type": INDEX})).status == 201
    assert cache.request("GET", "/v2/up/a/manifests/t").body == data
    config["passwordFile"] = str(scratch / "wrong")
    (scratch / "cache.json").write_text(json.dumps({"cache": [{"prefix": "up", "host": upstream.host, **config}]}))
    cache.stop()
    cache.start()
    assert cache.request("GET", "/v2/up/a/manifests/other").status == 502


def test_a_lying_upstream_leaves_nothing_and_a_hanging_one_does_not_keep_it_from_ending(pair, scratch, make_registry):
    upstream, cache = pair()
    layer = b"right" * 1000
    digest = upstream.push_blob("a", layer)
    file = upstream.root / f"blobs/sha256/{digest[7:9]}/{digest[7:]}"
    file.write_bytes(b"wrong" * 1000)
    assert cache.request("GET", f"/v2/up/a/blobs/{digest}").status == 502
    assert not [name for name in cache.files() if digest[7:] in name or name.startswith("uploads/")]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = {"cache": [{"prefix": "up", "host": f"127.0.0.1:{silent.getsockname()[1]}"}]}
        (scratch / "silent.json").write_text(json.dumps(config))
        hanging = make_registry("--config", scratch / "silent.json")
        with socket.create_connection(("127.0.0.1", hanging.port)) as client:
            client.sendall(b"GET /v2/up/a/manifests/t HTTP/1.1\r\nHost: x\r\n\r\n")
            silent.accept()[0].close()
            # Others are served meanwhile, and it ends although somebody waits.
            assert hanging.request("GET", "/v2/").status == 200
            hanging.stop()
