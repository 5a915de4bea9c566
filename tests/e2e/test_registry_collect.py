# SPDX-License-Identifier: Apache-2.0
"""Collection of garbage and scrub of kogge-registry (families R07, R10, R13 of docs/SECURITY.md)."""
import concurrent.futures
import json
import os
import socket
import subprocess
import time

from harness import program
from harness.registry import INDEX, MANIFEST, digest_of

SECONDS = float(os.environ.get("KOGGE_STRESS_SECONDS", "8" if program.SANITIZED else "4"))


def verb(registry, *args):
    return program.run([program.PROGRAMS / "kogge-registry", args[0], "--root", registry.root, *args[1:]])


def collect(registry, *args):
    result = verb(registry, "collect", *args)
    assert result.code == 0, result
    return result.out.splitlines()


def blob_file(registry, digest):
    return registry.root / f"blobs/sha256/{digest[7:9]}/{digest[7:]}"


def test_what_nothing_refers_to_goes_and_the_rest_stays(registry):
    kept = registry.push_image("a", "t", layers=(b"kept",))
    child = registry.request("GET", "/v2/a/manifests/t").body
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": MANIFEST, "digest": kept, "size": len(child)}]}
    assert registry.put_manifest("a", "index", index, INDEX).status == 201
    loose = registry.push_blob("a", b"loose")
    gone = registry.push_image("b", "t", layers=(b"gone",))
    assert registry.request("DELETE", f"/v2/b/manifests/{gone}").status == 202
    where = registry.open_upload("a")
    before = registry.files()
    collect(registry)  # all of it is younger than a day
    assert registry.files() == before
    preview = collect(registry, "--grace", "0s", "--dry-run")
    assert registry.files() == before
    deed = collect(registry, "--grace", "0s")
    assert [line for line in deed if line.startswith(("repositories", "uploads"))] == \
        [line for line in preview if line.startswith(("repositories", "uploads"))]
    deed += collect(registry, "--grace", "0s")
    removed = set(before) - set(registry.files())
    assert removed == {line for line in deed if "/" in line}
    for digest in (loose, digest_of(b"gone"), gone):
        assert not blob_file(registry, digest).exists()
    assert registry.request("GET", where).status == 404
    for path in ("/v2/a/manifests/t", "/v2/a/manifests/index", f"/v2/a/blobs/{digest_of(b'kept')}"):
        assert registry.request("GET", path).status == 200
    assert verb(registry, "scrub").code == 0


def test_R07_a_blob_that_another_repository_has_stays(registry):
    for name in ("a", "b"):
        registry.push_image(name, "t", layers=(b"both",))
    digest = registry.request("HEAD", "/v2/a/manifests/t").headers["Docker-Content-Digest"]
    assert registry.request("DELETE", f"/v2/a/manifests/{digest}").status == 202
    collect(registry, "--grace", "0s")
    assert registry.request("GET", f"/v2/a/blobs/{digest_of(b'both')}").status == 404
    assert registry.request("GET", f"/v2/b/blobs/{digest_of(b'both')}").body == b"both"


def test_a_repository_whose_manifest_is_damaged_is_left_alone(registry):
    digest = registry.push_image("a", "t")
    loose = registry.push_blob("a", b"loose")
    blob_file(registry, digest).write_bytes(b"{")
    result = verb(registry, "collect", "--grace", "0s")
    assert result.code == 1 and "repository 'a'" in result.err
    assert blob_file(registry, loose).exists()


def test_what_is_written_to_stays(registry):
    where = registry.open_upload("a")
    with socket.create_connection(("127.0.0.1", registry.port), 60) as slow:
        slow.sendall(f"PATCH {where} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc".encode())
        path = registry.root / "uploads" / where.rsplit("/", 1)[1]
        while path.stat().st_size < 3:
            time.sleep(0.001)
        collect(registry, "--grace", "0s")
        slow.sendall(b"def")
        assert slow.recv(4096).startswith(b"HTTP/1.1 202")
    assert registry.request("GET", where).headers["Range"] == "0-5"


def test_R13_scrub_reports_what_was_damaged(registry):
    registry.push_image("a", "t", layers=(b"damaged", b"missing"))
    assert verb(registry, "scrub").code == 0
    path = blob_file(registry, digest_of(b"damaged"))
    path.write_bytes(b"dAmaged")
    blob_file(registry, digest_of(b"missing")).unlink()
    (registry.root / "repositories/a/_tags/loose").write_text("sha256:" + "0" * 64 + "\n")
    result = verb(registry, "scrub")
    assert result.code == 3, result
    assert "has another digest" in result.out and "is missing" in result.out and "_tags/loose stands for" in result.out
    assert "1 damaged, 1 missing, 1 dangling" in result.out


def test_R10_collection_while_others_push_loses_nothing(make_registry, scratch):
    (scratch / "config.json").write_text(json.dumps({"collect": {"everySeconds": 1, "graceSeconds": 2}}))
    registry = make_registry("--config", scratch / "config.json")
    end = time.monotonic() + SECONDS

    def work(number):
        pushed = 0
        while time.monotonic() < end:
            # Layers that others push and delete at the same time, mounts, and things of its own.
            layers = (b"shared", os.urandom(64), b"%d" % (pushed % 3))
            digest = registry.push_image(f"r{number % 3}", f"t{number}", layers=layers)
            registry.request("POST", f"/v2/m{number}/blobs/uploads/?mount={digest_of(b'shared')}&from=r{number % 3}")
            for layer in layers:
                answer = registry.request("GET", f"/v2/r{number % 3}/blobs/{digest_of(layer)}")
                assert answer.body == layer, answer
            pushed += 1
            if pushed % 2:
                registry.request("DELETE", f"/v2/r{number % 3}/manifests/{digest}")
        return pushed

    collector = subprocess.Popen(["sh", "-c", 'while "$0" collect --root "$1" --grace 2s >/dev/null; do :; done',
                                  program.PROGRAMS / "kogge-registry", registry.root], start_new_session=True)
    try:
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            pushed = sum(pool.map(work, range(6)))
        # Each image is five pushes: its configuration, three layers and the manifest.
        print(f"{pushed} images, {5 * pushed / SECONDS:.0f} pushes/s for {SECONDS:.0f} s")
        assert pushed > 20
    finally:
        os.killpg(collector.pid, 15)
        collector.wait()
    assert verb(registry, "scrub").code == 0, verb(registry, "scrub")


def tags(registry, name):
    return registry.request("GET", f"/v2/{name}/tags/list").json["tags"]


def test_rules_remove_old_tags_and_what_only_they_lead_to(registry, scratch):
    for i in range(5):
        registry.push_image("ci/a", f"pr-{i}", layers=(b"%d" % i,))
    kept = registry.push_image("ci/a", "v1", layers=(b"v1",))
    signature = registry.image("ci/a", layers=(b"sig",), artifactType="a/b", subject={"mediaType": MANIFEST, "digest": kept, "size": 1})
    assert registry.put_manifest("ci/a", digest_of(json.dumps(signature).encode()), signature).status == 201
    old = registry.request("HEAD", "/v2/ci/a/manifests/pr-0").headers["Docker-Content-Digest"]
    lost = registry.image("ci/a", layers=(b"lost",), artifactType="a/b", subject={"mediaType": MANIFEST, "digest": old, "size": 1})
    lost_digest = digest_of(json.dumps(lost).encode())
    assert registry.put_manifest("ci/a", lost_digest, lost).status == 201
    registry.push_image("other", "pr-0")
    (scratch / "rules.json").write_text(json.dumps({"lifecycle": [
        {"repositories": "ci/*", "tags": "pr-*", "keep": 2}, {"repositories": "ci/*", "untagged": True},
        {"repositories": "other", "tags": "*", "olderThan": "1h"}]}))
    rules = ("--config", scratch / "rules.json", "--grace", "0s")
    before = registry.files()
    preview = [line for line in collect(registry, *rules, "--dry-run") if "_tags" in line or "_manifests" in line]
    assert registry.files() == before
    deed = collect(registry, *rules)
    assert [line for line in deed if "_tags" in line or "_manifests" in line] == preview
    assert tags(registry, "ci/a") == ["pr-3", "pr-4", "v1"]
    assert tags(registry, "other") == ["pr-0"]
    assert registry.request("GET", f"/v2/ci/a/manifests/{lost_digest}").status == 404
    assert registry.request("GET", f"/v2/ci/a/referrers/{old}").json["manifests"] == []
    assert len(registry.request("GET", f"/v2/ci/a/referrers/{kept}").json["manifests"]) == 1
    assert registry.request("GET", f"/v2/ci/a/blobs/{digest_of(b'sig')}").status == 200
    assert registry.request("GET", f"/v2/ci/a/blobs/{digest_of(b'1')}").status == 404
    assert verb(registry, "scrub").code == 0
