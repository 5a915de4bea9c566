# SPDX-License-Identifier: Apache-2.0
"""kogge-registry, request by request (distribution-spec 1.1). What the conformance suite tests as
well is here so that it is tested where that is not installed."""
import json
import os
import signal

import pytest

from harness.registry import CONFIG, INDEX, MANIFEST, digest_of


def test_it_starts_with_no_configuration_and_says_what_it_is(registry):
    answer = registry.request("GET", "/v2/")
    assert answer.status == 200
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    assert registry.request("GET", "/v2/_catalog").json == {"repositories": []}


def test_a_blob_by_one_post(registry):
    d = registry.push_blob("a/b", b"content")
    answer = registry.request("GET", f"/v2/a/b/blobs/{d}")
    assert (answer.status, answer.body) == (200, b"content")
    assert answer.headers["Docker-Content-Digest"] == d
    head = registry.request("HEAD", f"/v2/a/b/blobs/{d}")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "7", b"")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_in_pieces(registry, algorithm):
    d = digest_of(b"abcdef", algorithm)
    where = registry.open_upload("a")
    answer = registry.request("PATCH", where, b"abc", {"Content-Range": "0-2"})
    assert (answer.status, answer.headers["Range"]) == (202, "0-2")
    answer = registry.request("PATCH", where, b"d")
    assert (answer.status, answer.headers["Range"]) == (202, "0-3")
    status = registry.request("GET", where)
    assert (status.status, status.headers["Range"]) == (204, "0-3")
    answer = registry.request("PUT", f"{where}?digest={d}", b"ef", {"Content-Range": "4-5"})
    assert (answer.status, answer.headers["Location"]) == (201, f"/v2/a/blobs/{d}")
    assert registry.request("GET", f"/v2/a/blobs/{d}").body == b"abcdef"
    assert registry.request("GET", where).status == 404
    assert registry.files("uploads") == {}


def test_a_streamed_blob_has_no_length(registry):
    where = registry.open_upload("a")
    assert registry.request("PATCH", where, iter([b"ab", b"c"]), encode_chunked=True,
                            headers={"Transfer-Encoding": "chunked"}).status == 202
    assert registry.request("PUT", f"{where}?digest={digest_of(b'abc')}").status == 201


def test_a_cancelled_upload_is_gone(registry):
    where = registry.open_upload("a")
    registry.request("PATCH", where, b"abc")
    assert registry.request("DELETE", where).status == 204
    assert registry.request("GET", where).code == "BLOB_UPLOAD_UNKNOWN"
    assert registry.files("uploads") == {}


def test_an_upload_goes_on_after_a_kill_without_reading_again_what_came(registry):
    where = registry.open_upload("a")
    assert registry.request("PATCH", where, b"abc").status == 202
    registry.stop(signal.SIGKILL)
    registry.start()
    assert registry.request("GET", where).headers["Range"] == "0-2"
    answer = registry.request("PUT", f"{where}?digest={digest_of(b'abcdef')}", b"def")
    assert answer.status == 201, answer


def test_the_kept_state_of_a_digest_is_not_trusted_after_a_boot(registry):
    where = registry.open_upload("a")
    registry.request("PATCH", where, b"abc")
    state = next((registry.root / "uploads").glob("*.state"))
    text = json.loads(state.read_text())
    state.write_text(json.dumps(dict(text, boot="another", state="00" * (len(text["state"]) // 2))))
    assert registry.request("PUT", f"{where}?digest={digest_of(b'abc')}").status == 201


def test_ranges_and_conditions(registry):
    d = registry.push_blob("a", b"0123456789")
    def get(**headers):
        return registry.request("GET", f"/v2/a/blobs/{d}", headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = get(Range="bytes=2-4")
    assert (answer.status, answer.body, answer.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert get(Range="bytes=-3").body == b"789"
    assert get(Range="bytes=8-").body == b"89"
    assert (get(Range="bytes=10-").status, get(Range="bytes=10-").headers["Content-Range"]) == (416, "bytes */10")
    assert get(Range="bytes=1-2", If_Range='"other"').status == 200
    assert get(Range="bytes=1-2", If_Range=f'"{d}"').status == 206
    assert get(If_None_Match=f'"{d}"').status == 304
    assert get(If_None_Match='"other"').status == 200


def test_a_blob_is_mounted_from_where_it_is(registry):
    d = registry.push_blob("from", b"shared")
    answer = registry.request("POST", f"/v2/to/blobs/uploads/?mount={d}&from=from")
    assert (answer.status, answer.headers["Location"]) == (201, f"/v2/to/blobs/{d}")
    assert registry.request("GET", f"/v2/to/blobs/{d}").body == b"shared"
    assert registry.request("POST", f"/v2/third/blobs/uploads/?mount={d}").status == 201
    assert registry.request("POST", f"/v2/to/blobs/uploads/?mount={digest_of(b'none')}&from=from").status == 202


def test_a_manifest_by_tag_and_digest(registry):
    d = registry.push_image("a/b", "v1")
    by_tag, by_digest = (registry.request("GET", f"/v2/a/b/manifests/{r}") for r in ("v1", d))
    assert by_tag.status == by_digest.status == 200
    assert by_tag.body == by_digest.body
    assert by_tag.headers["Content-Type"] == MANIFEST
    assert by_tag.headers["Docker-Content-Digest"] == d
    assert registry.request("GET", "/v2/a/b/manifests/v1", headers={"If-None-Match": f'"{d}"'}).status == 304
    assert registry.request("GET", "/v2/a/b/tags/list").json == {"name": "a/b", "tags": ["v1"]}
    assert registry.request("GET", "/v2/_catalog").json == {"repositories": ["a/b"]}


def test_a_tag_moves_to_what_was_pushed_last(registry):
    one, two = registry.push_image("a", "t"), registry.push_image("a", "t", layers=(b"other",))
    assert registry.request("HEAD", "/v2/a/manifests/t").headers["Docker-Content-Digest"] == two
    assert registry.request("HEAD", f"/v2/a/manifests/{one}").status == 200


def test_tags_in_pages(registry):
    manifest = registry.image("a")
    tags = sorted(f"t{i}" for i in range(25))
    for tag in tags:
        assert registry.put_manifest("a", tag, manifest).status == 201
    seen, path = [], "/v2/a/tags/list?n=10"
    while path:
        answer = registry.request("GET", path)
        seen.append(answer.json["tags"])
        link = answer.headers["Link"]
        path = link and link[1:link.index(">")]
    assert seen == [tags[:10], tags[10:20], tags[20:]]
    assert registry.request("GET", "/v2/a/tags/list?n=0").json["tags"] == []
    assert registry.request("GET", f"/v2/a/tags/list?last={tags[-2]}").json["tags"] == tags[-1:]
    assert registry.request("GET", "/v2/none/tags/list").code == "NAME_UNKNOWN"


def test_the_catalogue_in_pages_loses_no_name_that_begins_another(registry):
    names = ["a", "a-b", "a/b", "a/b/c", "ab", "b"]
    for name in names:
        registry.push_blob(name, b"x")
    seen, path = [], "/v2/_catalog?n=1"
    while path:
        answer = registry.request("GET", path)
        seen += answer.json["repositories"]
        link = answer.headers["Link"]
        path = link and link[1:link.index(">")]
    assert seen == sorted(names)


def test_referrers_are_listed_and_filtered(registry):
    subject = registry.push_image("a", "v1")
    found = {}
    for kind in ("application/x.sbom+json", "application/x.signature"):
        manifest = registry.image("a", artifactType=kind, annotations={"k": kind},
                                  subject={"mediaType": MANIFEST, "digest": subject, "size": 1})
        answer = registry.put_manifest("a", digest_of(json.dumps(manifest).encode()), manifest)
        assert (answer.status, answer.headers["OCI-Subject"]) == (201, subject)
        found[kind] = answer.headers["Docker-Content-Digest"]
    listed = registry.request("GET", f"/v2/a/referrers/{subject}")
    assert listed.headers["Content-Type"] == INDEX
    assert {m["artifactType"]: m["digest"] for m in listed.json["manifests"]} == found
    assert all(m["annotations"] == {"k": m["artifactType"]} for m in listed.json["manifests"])
    one = registry.request("GET", f"/v2/a/referrers/{subject}?artifactType=application/x.sbom%2Bjson")
    assert [m["digest"] for m in one.json["manifests"]] == [found["application/x.sbom+json"]]
    assert one.headers["OCI-Filters-Applied"] == "artifactType"
    assert registry.request("DELETE", f"/v2/a/manifests/{found['application/x.signature']}").status == 202
    assert len(registry.request("GET", f"/v2/a/referrers/{subject}").json["manifests"]) == 1
    assert registry.request("GET", f"/v2/none/referrers/{subject}").json["manifests"] == []


def test_the_type_of_a_referrer_without_one_is_that_of_its_config(registry):
    subject = digest_of(b"not there yet")
    manifest = registry.image("a", subject={"mediaType": MANIFEST, "digest": subject, "size": 1})
    assert registry.put_manifest("a", "x", manifest).status == 201
    assert registry.request("GET", f"/v2/a/referrers/{subject}").json["manifests"][0]["artifactType"] == CONFIG


def test_a_deleted_manifest_takes_its_tags_along_and_a_tag_only_itself(registry):
    d = registry.push_image("a", "one")
    manifest = registry.request("GET", "/v2/a/manifests/one").body
    assert registry.put_manifest("a", "two", manifest).status == 201
    assert registry.request("DELETE", "/v2/a/manifests/one").status == 202
    assert registry.request("GET", f"/v2/a/manifests/{d}").status == 200
    assert registry.request("DELETE", f"/v2/a/manifests/{d}").status == 202
    assert registry.request("GET", "/v2/a/manifests/two").code == "MANIFEST_UNKNOWN"
    assert registry.request("GET", "/v2/a/tags/list").json["tags"] == []
    assert registry.request("DELETE", f"/v2/a/manifests/{d}").code == "MANIFEST_UNKNOWN"


def test_tags_as_parameters_of_a_push_by_digest(registry):
    data = json.dumps(registry.image("a")).encode()
    answer = registry.put_manifest("a", f"{digest_of(data)}?tag=x&tag=y", data)
    assert (answer.status, answer.headers["OCI-Tag"]) == (201, "x, y")
    assert registry.request("GET", "/v2/a/tags/list").json["tags"] == ["x", "y"]


def test_schema_2_lists_of_docker(registry):
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    image = dict(registry.image("a"), mediaType=kind)
    data = json.dumps(image).encode()
    assert registry.put_manifest("a", digest_of(data), data, kind).status == 201
    many = "application/vnd.docker.distribution.manifest.list.v2+json"
    index = {"schemaVersion": 2, "mediaType": many, "manifests": [
        {"mediaType": kind, "digest": digest_of(data), "size": len(data), "platform": {"architecture": "amd64", "os": "linux"}}]}
    assert registry.put_manifest("a", "list", index, many).status == 201
    assert registry.request("GET", "/v2/a/manifests/list").headers["Content-Type"] == many


def test_read_only_and_without_deletion(make_registry):
    registry = make_registry("--no-delete")
    d = registry.push_image("a", "t")
    for path in ("/v2/a/manifests/t", f"/v2/a/manifests/{d}", f"/v2/a/blobs/{digest_of(b'layer')}"):
        assert registry.request("DELETE", path).status == 405
    registry.stop()
    registry.arguments = ("--read-only",)
    registry.start()
    assert registry.request("GET", "/v2/a/manifests/t").status == 200
    assert registry.request("POST", "/v2/a/blobs/uploads/").code == "UNSUPPORTED"


def test_an_acknowledged_push_survives_a_kill(registry):
    wanted = {f"t{i}": registry.push_image("a", f"t{i}", layers=(b"%d" % i,)) for i in range(10)}
    registry.stop(signal.SIGKILL)
    registry.start()
    for tag, d in wanted.items():
        assert registry.request("HEAD", f"/v2/a/manifests/{tag}").headers["Docker-Content-Digest"] == d
    assert registry.request("GET", f"/v2/a/blobs/{digest_of(b'7')}").body == b"7"


def test_content_is_readable_with_ls(registry):
    d = registry.push_image("a/b", "v1")
    assert (registry.root / "repositories/a/b/_tags/v1").read_text() == d + "\n"
    assert (registry.root / f"repositories/a/b/_manifests/sha256/{d[7:]}").read_text() == MANIFEST
    layer = digest_of(b"layer")[7:]
    assert (registry.root / f"blobs/sha256/{layer[:2]}/{layer}").read_bytes() == b"layer"


def test_large_blobs_go_both_ways(registry):
    data = os.urandom(1 << 20) * 20
    d = registry.push_blob("a", data)
    assert registry.request("GET", f"/v2/a/blobs/{d}").body == data
    assert registry.resident() < (300 << 20)
