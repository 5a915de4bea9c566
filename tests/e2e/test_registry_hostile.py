# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to kogge-registry (families R01 to R19 and A01 to A05 of docs/SECURITY.md): each gets a status
and code of the specification, in bounded memory, and nothing changes."""
import concurrent.futures
import contextlib
import json
import os
import re
import socket
import time

import pytest

from harness import program
from harness.registry import INDEX, MANIFEST, digest_of


@pytest.fixture
def unchanged(registry):
    """Nothing that is kept may be another afterwards."""
    registry.push_image("kept", "t")
    before = registry.files()
    yield registry
    assert registry.files() == before
    assert registry.request("GET", "/v2/kept/manifests/t").status == 200


def test_R01_a_blob_with_another_digest_is_not_stored(unchanged):
    wrong = digest_of(b"other")
    answer = unchanged.request("POST", f"/v2/kept/blobs/uploads/?digest={wrong}", b"content")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    where = unchanged.open_upload("kept")
    unchanged.request("PATCH", where, b"con")
    answer = unchanged.request("PUT", f"{where}?digest={wrong}", b"tent")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_R01_a_manifest_with_another_digest_is_not_stored(unchanged):
    manifest = unchanged.request("GET", "/v2/kept/manifests/t").body
    answer = unchanged.put_manifest("kept", digest_of(b"other"), manifest)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("digest", ["md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:abc", "sha256:" + "A" * 64, "sha256", ":",
                                    "sha256:..%2F..%2F" + "a" * 58, "sha256%00:" + "a" * 64, "sha384:" + "a" * 96, "x" * 2000])
def test_R01_digests_that_are_none(unchanged, digest):
    assert unchanged.request("GET", f"/v2/kept/blobs/{digest}").status in (400, 404)
    assert unchanged.request("POST", f"/v2/kept/blobs/uploads/?digest={digest}", b"x").code == "DIGEST_INVALID"
    assert unchanged.request("POST", f"/v2/kept/blobs/uploads/?mount={digest}&from=kept").code == "DIGEST_INVALID"


def test_R02_manifests_up_to_4_mib(registry):
    manifest = registry.image("a", annotations={"x": ""})
    manifest["annotations"]["x"] = "x" * (4 * 1024 * 1024 - len(json.dumps(manifest)))
    assert registry.put_manifest("a", "large", manifest).status == 201
    manifest["annotations"]["x"] += "y"
    assert registry.put_manifest("a", "larger", manifest).status == 413
    data = json.dumps(manifest).encode()
    answer = registry.request("PUT", "/v2/a/manifests/chunked", iter([data, data]), encode_chunked=True,
                              headers={"Transfer-Encoding": "chunked", "Content-Type": MANIFEST})
    assert answer.status == 413
    assert registry.request("GET", "/v2/a/tags/list").json["tags"] == ["large"]


@pytest.mark.parametrize("given, status", [("5-7", 416), ("0-2", 416), ("2-4", 416), ("9-3", 416), ("x", 416), ("-1", 416),
                                           ("3-99999999999999999999", 416), ("3-9", 400)])
def test_R03_pieces_out_of_order(registry, given, status):
    where = registry.open_upload("a")
    assert registry.request("PATCH", where, b"abc", {"Content-Range": "0-2"}).status == 202
    answer = registry.request("PATCH", where, b"def", {"Content-Range": given})
    assert answer.status == status, answer
    assert registry.request("GET", where).headers["Range"] == "0-2"
    assert registry.request("PUT", f"{where}?digest={digest_of(b'abcdef')}", b"def", {"Content-Range": "3-5"}).status == 201


def test_R03_an_upload_that_has_ended_takes_nothing_more(unchanged):
    where = unchanged.open_upload("kept")
    answer = unchanged.request("PUT", f"{where}?digest={digest_of(b'layer')}", b"layer")
    assert answer.status == 201
    assert unchanged.request("PATCH", where, b"x").code == "BLOB_UPLOAD_UNKNOWN"


@pytest.mark.parametrize("name", ["..", "../../kogge-registry", "..%2F..%2Fkogge-registry", "%2e%2e", "lock",
                                  "00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000000.state", "x" * 400])
def test_R03_names_of_uploads_that_are_none(unchanged, name):
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = unchanged.request(method, f"/v2/kept/blobs/uploads/{name}?digest={digest_of(b'x')}", b"x" if method[0] == "P" else None)
        assert answer.status in (400, 404, 405), answer


def test_R03_an_upload_belongs_to_its_repository(registry):
    where = registry.open_upload("a")
    assert registry.request("PATCH", where.replace("/v2/a/", "/v2/b/"), b"x").code == "BLOB_UPLOAD_UNKNOWN"
    assert registry.request("GET", where).status == 204


def test_R03_two_who_write_to_one_upload(registry):
    where = registry.open_upload("a")
    with socket.create_connection(("127.0.0.1", registry.port), 60) as slow:
        slow.sendall(f"PATCH {where} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc".encode())
        data = registry.root / "uploads" / where.rsplit("/", 1)[1]
        while data.stat().st_size < 3:
            time.sleep(0.001)
        assert registry.request("PATCH", where, b"zzz").status == 409
        assert registry.request("PUT", f"{where}?digest={digest_of(b'abc')}").status == 409
        slow.sendall(b"def")
        assert slow.recv(4096).startswith(b"HTTP/1.1 202")
    assert registry.request("PUT", f"{where}?digest={digest_of(b'abcdef')}").status == 201


def test_R04_content_of_other_repositories_is_not_given_away(registry):
    d = registry.push_blob("secret", b"secret")
    assert registry.request("GET", f"/v2/other/blobs/{d}").code == "BLOB_UNKNOWN"
    assert registry.request("HEAD", f"/v2/other/blobs/{d}").status == 404
    manifest = dict(registry.image("other"), layers=[{"mediaType": "application/x", "digest": d, "size": 6}])
    assert registry.put_manifest("other", "t", manifest).code == "MANIFEST_BLOB_UNKNOWN"


NAMES = ["..", "../..", "a/../../b", "A", "a//b", "-a", "a.", "_uploads", "a/_tags", "a%2Fb", "%2e%2e", "a%00b", "a b", "a" * 256,
         "a/" * 200 + "a", "..%2F..%2F..", "a\\b", "ä"]


@pytest.mark.parametrize("name", NAMES)
def test_R05_names_that_are_none(unchanged, name):
    raw = name.encode().replace(b" ", b"%20")
    for request in (b"GET /v2/%s/tags/list", b"POST /v2/%s/blobs/uploads/", b"GET /v2/%s/manifests/latest"):
        answer = unchanged.raw(request % raw + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        assert answer.split(b" ")[1] in (b"400", b"404", b"414"), answer[:200]


@pytest.mark.parametrize("tag", ["..", ".a", "-a", "a%2Fb", "%2e%2e", "a" * 129, "a%20b", "a%0Ab", "_tags/x"])
def test_R05_tags_that_are_none(unchanged, tag):
    manifest = unchanged.request("GET", "/v2/kept/manifests/t").body
    assert unchanged.put_manifest("kept", tag, manifest).status in (400, 404)
    assert unchanged.request("GET", f"/v2/kept/manifests/{tag}").status == 404


def test_R05_a_name_may_be_as_long_as_the_specification_lets_it(registry):
    name = "/".join(["abcdefghij"] * 23)
    assert registry.push_image(name, "t" * 128)


def test_R07_a_blob_that_was_deleted_here_stays_away_although_another_has_it(registry):
    d = registry.push_blob("a", b"both")
    registry.push_blob("b", b"both")
    assert registry.request("DELETE", f"/v2/a/blobs/{d}").status == 202
    for _ in range(3):
        assert registry.request("GET", f"/v2/a/blobs/{d}").code == "BLOB_UNKNOWN"
    assert registry.request("DELETE", f"/v2/a/blobs/{d}").status == 404
    assert registry.request("GET", f"/v2/b/blobs/{d}").body == b"both"


@pytest.mark.parametrize("query, status", [("n=-1", 400), ("n=x", 400), ("n=99999999999999999999", 400), ("n=1000000000", 200),
                                           ("n=1&last=%2e%2e", 200), ("last=" + "x" * 5000, 200), ("n=", 400)])
def test_R09_pages_that_are_none(registry, query, status):
    registry.push_image("a", "t")
    for path in ("/v2/_catalog", "/v2/a/tags/list"):
        assert registry.request("GET", f"{path}?{query}").status == status


def test_R11_a_full_disk_is_said_and_changes_nothing(make_registry):
    registry = make_registry(env={"KOGGE_FAILPOINTS": "registry.upload.write=error(ENOSPC)@2*1"})
    registry.push_image("kept", "t", layers=())
    before = registry.files()
    answer = registry.request("POST", f"/v2/a/blobs/uploads/?digest={digest_of(b'x')}", b"x")
    if answer.status == 201:
        pytest.skip("built without failpoints")
    assert answer.status == 507, answer
    assert registry.files() == before
    assert registry.push_blob("a", b"x")


def test_R12_a_hundred_pushes_of_one_tag_leave_one_of_them(registry):
    manifests = [registry.image("a", layers=(b"%d" % i,)) for i in range(20)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda m: registry.put_manifest("a", "t", m), manifests * 5))
    assert {a.status for a in answers} == {201}
    got = registry.request("GET", "/v2/a/manifests/t")
    assert json.loads(got.body) in manifests
    assert got.headers["Docker-Content-Digest"] == digest_of(got.body)


def test_R12_one_blob_by_many_at_once(registry):
    data = os.urandom(1 << 16)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(lambda i: registry.push_blob(f"r{i % 5}", data), range(100)))) == 1
    assert registry.request("GET", f"/v2/r3/blobs/{digest_of(data)}").body == data
    assert registry.files("uploads") == {}


BAD_MANIFESTS = {
    "not JSON": b"{", "empty": b"", "not an object": b"[]", "schema 1": {"schemaVersion": 1}, "no version": {"layers": []},
    "no config": {"schemaVersion": 2, "layers": []},
    "both": {"schemaVersion": 2, "config": {}, "layers": [], "manifests": []},
    "an index as manifest": {"schemaVersion": 2, "manifests": []},
    "another type": {"schemaVersion": 2, "mediaType": INDEX, "config": {}, "layers": []},
    "deep": b'{"schemaVersion":2,"x":' + b"[" * 100000 + b"]" * 100000 + b"}",
    "twice": b'{"schemaVersion":2,"schemaVersion":2,"config":{},"layers":[]}',
    "negative": {"schemaVersion": 2, "config": {"mediaType": "a/b", "digest": digest_of(b"layer"), "size": -1}, "layers": []},
    "climbing": {"schemaVersion": 2, "config": {"mediaType": "a/b", "digest": "sha256:../../../etc/passwd", "size": 1}, "layers": []},
    "too many": {"schemaVersion": 2, "config": {"mediaType": "a/b", "digest": digest_of(b"layer"), "size": 1},
                 "layers": [{"mediaType": "a", "size": 1, "digest": "sha256:" + "a" * 64}] * 10001},
    "a bad subject": {"schemaVersion": 2, "config": {"mediaType": "a/b", "digest": digest_of(b"layer"), "size": 5}, "layers": [],
                      "subject": {"digest": "x"}},
}


@pytest.mark.parametrize("what", BAD_MANIFESTS)
def test_R18_manifests_that_are_none(unchanged, what):
    answer = unchanged.put_manifest("kept", "bad", BAD_MANIFESTS[what])
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID"), answer


def test_R18_another_content_type_than_the_document_says(unchanged):
    manifest = unchanged.request("GET", "/v2/kept/manifests/t").body
    for kind in (INDEX, "text/html", "application/vnd.docker.distribution.manifest.v1+prettyjws", "x" * 3000):
        assert unchanged.put_manifest("kept", "bad", manifest, kind).status in (400, 431)


def test_R18_a_manifest_of_blobs_that_are_missing(unchanged):
    manifest = json.loads(unchanged.request("GET", "/v2/kept/manifests/t").body)
    manifest["layers"].append({"mediaType": "application/x", "digest": digest_of(b"none"), "size": 4})
    assert unchanged.put_manifest("kept", "bad", manifest).code == "MANIFEST_BLOB_UNKNOWN"
    index = {"schemaVersion": 2, "manifests": [{"mediaType": MANIFEST, "digest": digest_of(b"none"), "size": 4}]}
    assert unchanged.put_manifest("kept", "bad", index, INDEX).code == "MANIFEST_BLOB_UNKNOWN"


def test_R18_ten_thousand_referrers_come_in_pages(registry):
    subject = digest_of(b"subject")
    folder = registry.root / "repositories/a/_referrers/sha256" / subject[7:]
    registry.push_blob("a", b"x")
    folder.mkdir(parents=True)
    for i in range(1200):
        (folder / f"sha256-{i:064x}").write_text(json.dumps({"mediaType": MANIFEST, "digest": f"sha256:{i:064x}", "size": 1}))
    seen, path = [], f"/v2/a/referrers/{subject}"
    while path:
        answer = registry.request("GET", path)
        seen += [m["digest"] for m in answer.json["manifests"]]
        link = answer.headers["Link"]
        path = link and link[1:link.index(">")]
    assert seen == [f"sha256:{i:064x}" for i in range(1200)]


SMUGGLED = {
    "two lengths": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "length and chunks": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "odd encoding": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks with another name": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a chunk beyond all bounds": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF1\r\n\r\n",
    "a chunk of no number": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
    "negative": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "list of lengths": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n",
    "two hosts": b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n",
    "no host": b"GET /v2/ HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("what", SMUGGLED)
def test_A02_requests_that_two_readers_understand_in_two_ways(unchanged, what):
    hidden = b"DELETE /v2/kept/manifests/t HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = unchanged.raw(SMUGGLED[what] + hidden)
    # libmicrohttpd 0.9.75 sends the head of some errors twice, and closes.
    assert {int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer)} <= set(range(400, 500)), answer


def test_A01_header_bombs(unchanged):
    before = unchanged.resident()
    for bomb in (b"X: " + b"y" * 1000000, b"\r\n".join(b"X%d: y" % i for i in range(50000)), b"X" * 1000000):
        with contextlib.suppress(ConnectionError):
            answer = unchanged.raw(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + bomb + b"\r\n\r\n", end=False)
            assert answer == b"" or answer.split(b" ")[1] in (b"400", b"413", b"414", b"431", b"500"), answer[:100]
    with contextlib.suppress(ConnectionError):
        answer = unchanged.raw(b"GET /v2/" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", end=False)
        assert answer == b"" or answer.split(b" ")[1] in (b"400", b"414", b"404", b"431"), answer[:100]
    assert unchanged.request("GET", "/v2/").status == 200
    if not program.SANITIZED:
        assert unchanged.resident() - before < (32 << 20)


def test_A01_what_is_no_http(unchanged):
    for data in (b"\0" * 1000, b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\r\n" * 100, b"GET /v2/ HTTP/9.9\r\n\r\n", os.urandom(4096)):
        with socket.create_connection(("127.0.0.1", unchanged.port), 60) as s:
            s.sendall(data)
    assert unchanged.request("GET", "/v2/").status == 200


def test_A03_thousands_of_half_open_connections(unchanged):
    held = []
    try:
        for _ in range(2000):
            s = socket.create_connection(("127.0.0.1", unchanged.port), 60)
            s.sendall(b"GET /v2/ HTTP/1.1\r\nHo")
            held.append(s)
        assert unchanged.request("GET", "/v2/kept/manifests/t").status == 200
        if not program.SANITIZED:
            assert unchanged.resident() < (64 << 20)
    finally:
        for s in held:
            s.close()


def test_A04_clients_that_never_read_what_they_asked_for(registry):
    digest = registry.push_blob("a", b"x" * (16 << 20))
    held = []
    try:
        for _ in range(300):
            s = socket.create_connection(("127.0.0.1", registry.port), 60)
            s.sendall(f"GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            held.append(s)
        for s in held:
            assert s.recv(12) == b"HTTP/1.1 200"
        assert registry.request("GET", "/v2/").status == 200
        if not program.SANITIZED:
            assert registry.resident() < (64 << 20)
    finally:
        for s in held:
            s.close()


def test_A05_a_body_that_is_refused_is_not_read_to_its_end(unchanged):
    with socket.create_connection(("127.0.0.1", unchanged.port), 60) as s:
        s.sendall(b"PUT /v2/kept/manifests/big HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        answer = s.recv(4096)
    assert answer.split(b" ")[1] == b"413"


def test_R13_a_blob_that_is_no_file_is_not_served(registry):
    d = registry.push_blob("a", b"content")
    path = registry.root / f"blobs/sha256/{d[7:9]}/{d[7:]}"
    for make in (lambda: path.symlink_to("/etc/passwd"), lambda: os.mkfifo(path), path.mkdir):
        path.unlink()
        make()
        assert registry.request("GET", f"/v2/a/blobs/{d}").status in (404, 500)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
            path.touch()
