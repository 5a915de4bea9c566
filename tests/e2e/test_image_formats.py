# SPDX-License-Identifier: Apache-2.0
"""Images go from and to other people's programs: docker, skopeo, umoci, podman. The IDs (digests of
the configurations) and the contents must be the same on both sides."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest
from harness import images, program

pytestmark = pytest.mark.needs_root


def sha(data):
    return hashlib.sha256(data).hexdigest()


def layer(files):
    """A layer as bytes; FILES is {name: content}, a content of None makes a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            if content is None:
                images.add_folder(tar, name)
            else:
                images.add(tar, name, content)
    return out.getvalue()


def config(layers, **run):
    return json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z", "config": run,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(data) for data in layers]},
        "history": [{"created": "2026-01-02T03:04:05Z", "created_by": f"layer {i}"} for i in range(len(layers))],
    }).encode()


BASE = layer({"etc": None, "etc/passwd": images.PASSWD, "etc/gone": "below", "data": None, "data/a": "a" * 5000})
TOP = layer({"etc": None, "etc/.wh.gone": "", "etc/more": "above"})
ONE = config([BASE], Cmd=["/bin/sh"])
TWO = config([BASE, TOP], Env=["A=b"])


def docker_archive(path, entries=None, manifest=None):
    """A Docker archive with the images one:1 and one:again, and two:2 on the same base."""
    manifest = manifest if manifest is not None else [
        {"Config": sha(ONE) + ".json", "RepoTags": ["one:1", "one:again"], "Layers": ["base/layer.tar"]},
        {"Config": sha(TWO) + ".json", "RepoTags": ["example.org/two:2"],
         "Layers": ["base/layer.tar", "top/layer.tar"]}]
    entries = entries if entries is not None else {
        sha(ONE) + ".json": ONE, sha(TWO) + ".json": TWO, "base/layer.tar": BASE, "top/layer.tar": TOP}
    with tarfile.open(path, "w") as tar:
        for name, content in entries.items():
            images.add(tar, name, content)
        images.add(tar, "manifest.json", json.dumps(manifest))
    return path


@pytest.fixture
def loaded(kogge):
    kogge.ok("load", "-i", docker_archive(kogge.folder / "in.tar"))
    return kogge


@pytest.fixture
def saved(loaded):
    path = loaded.folder / "out.tar"
    loaded.ok("save", "-o", path, "one:1", "one:again", "example.org/two:2")
    return path


def ids(kogge):
    return sorted(set(kogge.ok("images", "-q", "--no-trunc").split()))


BOTH = sorted("sha256:" + sha(c) for c in (ONE, TWO))


def tool(*args, **options):
    result = program.run(args, **options)
    assert result.code == 0, str(result)
    return result.out


def test_load_says_what_it_loaded(kogge):
    out = kogge.ok("load", "-i", docker_archive(kogge.folder / "in.tar"))
    assert sorted(out.splitlines()) == [
        "Loaded image: example.org/two:2", "Loaded image: one:1", "Loaded image: one:again"]
    assert ids(kogge) == BOTH


def test_saved_twice_is_the_same(loaded, saved):
    again = loaded.folder / "again.tar"
    loaded.ok("save", "-o", again, "one:1", "one:again", "example.org/two:2")
    assert saved.read_bytes() == again.read_bytes()


def test_saved_archive_holds_each_blob_once(saved):
    with tarfile.open(saved) as tar:
        names = tar.getnames()
        assert len(names) == len(set(names))
        blobs = [n for n in names if n.startswith("blobs/sha256/")]
        for name in blobs:
            assert sha(tar.extractfile(name).read()) == name.rsplit("/", 1)[1]
        # Two configurations, two manifests, two layers.
        assert len(blobs) == 6
        assert json.load(tar.extractfile("oci-layout")) == {"imageLayoutVersion": "1.0.0"}


@pytest.mark.parametrize("packer", ["plain", "gzip", "zstd"])
def test_load_reads_compressed_archives_from_stdin(kogge, need_tool, packer):
    data = docker_archive(kogge.folder / "in.tar").read_bytes()
    if packer == "gzip":
        data = gzip.compress(data)
    elif packer == "zstd":
        data = subprocess.run([need_tool("zstd"), "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout
    kogge.ok("load", input=data)
    assert ids(kogge) == BOTH


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_load_keeps_compressed_layers_as_they_are(kogge, need_tool, compress):
    packed = gzip.compress(BASE, mtime=0) if compress == "gzip" else subprocess.run(
        [need_tool("zstd"), "-q"], input=BASE, stdout=subprocess.PIPE, check=True).stdout
    docker_archive(kogge.folder / "in.tar", {"c": ONE, "l": packed},
                   [{"Config": "c", "RepoTags": ["one:1"], "Layers": ["l"]}])
    kogge.ok("load", "-i", kogge.folder / "in.tar")
    kogge.ok("save", "-o", kogge.folder / "out.tar", "one:1")
    with tarfile.open(kogge.folder / "out.tar") as tar:
        assert tar.extractfile("blobs/sha256/" + sha(packed)).read() == packed


@pytest.mark.needs_docker
@pytest.mark.slow
def test_docker_and_kogge_read_each_other(docker, loaded, saved, kogge):
    out = docker.ok("load", "-i", saved)
    assert "Loaded image: one:again" in out
    assert docker.ok("image", "inspect", "-f", "{{.Id}}", "example.org/two:2").strip() == "sha256:" + sha(TWO)
    container = docker.ok("create", "example.org/two:2", "/x").strip()
    with tarfile.open(fileobj=io.BytesIO(docker("export", container).raw_out)) as tar:
        assert tar.extractfile("etc/more").read() == b"above"
        assert "etc/gone" not in tar.getnames()
    docker.ok("rm", container)
    docker.ok("save", "-o", kogge.folder / "docker.tar", "one:1", "one:again", "example.org/two:2")
    docker.ok("rmi", "one:1", "one:again", "example.org/two:2")
    other = program.Kogge(kogge.folder / "other")
    other.folder.mkdir()
    other.ok("load", "-i", kogge.folder / "docker.tar")
    assert ids(other) == BOTH


@pytest.mark.parametrize("source", ["docker-archive:{}:one:1", "oci-archive:{}:1"])
def test_skopeo_reads_what_kogge_saved(saved, scratch, need_tool, source):
    tool(need_tool("skopeo"), "copy", "-q", "--insecure-policy", source.format(saved), f"dir:{scratch}/dir")
    manifest = json.loads((scratch / "dir/manifest.json").read_text())
    assert manifest["config"]["digest"] == "sha256:" + sha(ONE)


@pytest.mark.parametrize("target", ["docker-archive:{}:example.org/copy:3", "oci-archive:{}:example.org/copy:3"])
def test_kogge_reads_what_skopeo_wrote(saved, scratch, need_tool, target):
    path = scratch / "skopeo.tar"
    tool(need_tool("skopeo"), "copy", "-q", "--insecure-policy", f"oci-archive:{saved}:2", target.format(path))
    other = program.Kogge(scratch / "other")
    other.folder.mkdir()
    assert other.ok("load", "-i", path).strip() == "Loaded image: example.org/copy:3"
    assert ids(other) == ["sha256:" + sha(TWO)]


def test_umoci_reads_what_kogge_saved(saved, scratch, need_tool):
    need_tool("umoci")
    (scratch / "layout").mkdir()
    tool("tar", "-xf", saved, "-C", scratch / "layout")
    assert set(tool("umoci", "ls", "--layout", scratch / "layout").split()) == {"1", "2", "again"}
    tool("umoci", "unpack", "--image", f"{scratch}/layout:2", scratch / "bundle")
    assert (scratch / "bundle/rootfs/etc/more").read_text() == "above"
    assert not (scratch / "bundle/rootfs/etc/gone").exists()


def test_kogge_reads_what_umoci_wrote(kogge, scratch, need_tool):
    need_tool("umoci")
    layout = scratch / "umoci"
    (scratch / "file").write_text("by umoci")
    tool("umoci", "init", "--layout", layout)
    tool("umoci", "new", "--image", f"{layout}:v1")
    tool("umoci", "insert", "--image", f"{layout}:v1", scratch / "file", "/file")
    tool("tar", "-cf", scratch / "umoci.tar", "-C", layout, ".")
    out = kogge.ok("load", "-i", scratch / "umoci.tar")
    # A bare tag is no name.
    assert out.startswith("Loaded image ID: sha256:")
    assert len(ids(kogge)) == 1


@pytest.mark.slow
def test_podman_reads_what_kogge_saved(saved, scratch, need_tool):
    podman = [need_tool("podman"), "--root", scratch / "p", "--runroot", scratch / "pr", "--storage-driver", "vfs"]
    out = tool(*podman, "load", "-i", saved)
    assert "example.org/two:2" in out
    assert tool(*podman, "image", "inspect", "-f", "{{.Id}}", "example.org/two:2").strip() == sha(TWO)


def refused(kogge, saying, entries, manifest):
    path = docker_archive(kogge.folder / "bad.tar", entries, manifest)
    kogge.fails(1, "load", "-i", path, saying=saying)
    assert ids(kogge) == []


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "/etc/passwd", "x/../../etc/passwd"])
def test_U26_config_and_layers_never_leave_the_archive(kogge, name):
    refused(kogge, "", {"l": BASE}, [{"Config": name, "RepoTags": ["x:1"], "Layers": ["l"]}])
    refused(kogge, "", {"c": ONE}, [{"Config": "c", "RepoTags": ["x:1"], "Layers": [name]}])


def test_U26_null_config_is_refused(kogge):
    for document in (b"null", b"[]", b"", b"{}"):
        refused(kogge, "", {"c": document, "l": BASE}, [{"Config": "c", "RepoTags": None, "Layers": ["l"]}])


def test_U22_layer_with_another_digest_is_refused(kogge):
    refused(kogge, "", {"c": ONE, "l": TOP}, [{"Config": "c", "RepoTags": ["x:1"], "Layers": ["l"]}])
    # Compressed, which only unpacking can tell.
    refused(kogge, "", {"c": ONE, "l": gzip.compress(TOP)}, [{"Config": "c", "RepoTags": ["x:1"], "Layers": ["l"]}])


def test_truncated_archives_leave_nothing(kogge):
    data = docker_archive(kogge.folder / "in.tar").read_bytes()
    for size in (0, 100, 512, 5000, len(data) // 2):
        kogge.fails(1, "load", input=data[:size])
        assert ids(kogge) == []


def test_no_archive_is_said_to_be_none(kogge, tmp_path):
    kogge.fails(1, "load", input=os.urandom(20000))
    with tarfile.open(tmp_path / "rootfs.tar", "w") as tar:
        images.add(tar, "etc/passwd", "root")
    kogge.fails(1, "load", "-i", tmp_path / "rootfs.tar", saying="no image archive")


@pytest.mark.needs_root
@pytest.mark.parametrize("command", [["xz", "-0"], ["bzip2", "-1"]], ids=lambda c: c[0])
def test_xz_and_bzip2_archives_are_read_from_files_and_pipes(kogge, busybox_tar, scratch, command):
    path = scratch / "busybox.tar.packed"
    with open(busybox_tar, "rb") as f:
        path.write_bytes(subprocess.run(command, stdin=f, stdout=subprocess.PIPE, check=True).stdout)
    data = path.read_bytes()
    plain = kogge.ok("import", "-c", "LABEL a=b", busybox_tar, "plain")
    layers = [json.loads(kogge.ok("image", "inspect", plain.strip()))[0]["RootFS"]["Layers"]]
    kogge.ok("import", path, "file")
    kogge.ok("import", "-", "pipe", input=data)
    with open(path, "rb") as f:
        kogge.ok("import", "-", "stdin", input=f)
    for name in ("file", "pipe", "stdin"):
        layers.append(json.loads(kogge.ok("image", "inspect", name))[0]["RootFS"]["Layers"])
    assert all(x == layers[0] for x in layers), "what is stored is plain"
    kogge.ok("save", "-o", scratch / "saved.tar", "plain")
    with open(scratch / "saved.tar", "rb") as f:
        saved = subprocess.run(command, stdin=f, stdout=subprocess.PIPE, check=True).stdout
    kogge.ok("rmi", "plain")
    assert kogge.ok("load", input=saved) == "Loaded image: plain:latest\n"
    kogge.fails(1, "import", "-", input=data[:len(data) // 2], saying="cut off")
    kogge.fails(1, "load", input=saved[:1000], saying="cut off")
    kogge.fails(1, "load", input=data, saying="no image archive")
    kogge.ok("system", "check")
