# SPDX-License-Identifier: Apache-2.0
"""Other people's clients push to and pull from kogge-registry, and the specification's own suite."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import program
from harness.registry import MANIFEST, digest_of


@pytest.fixture
def image_archive(scratch, busybox_tar, kogge):
    """busybox as a docker archive."""
    kogge.ok("import", busybox_tar, "busybox:peer")
    kogge.ok("save", "-o", scratch / "busybox.tar", "busybox:peer")
    return scratch / "busybox.tar"


def config_digest(registry, name, tag):
    return registry.request("GET", f"/v2/{name}/manifests/{tag}").json["config"]["digest"]


@pytest.mark.needs_root
def test_docker_pushes_and_pulls(registry, docker, image_archive):
    name = f"{registry.host}/docker/busybox:v1"
    docker.ok("load", "-i", image_archive)
    docker.ok("tag", "busybox:peer", name)
    docker.ok("push", name)
    docker.ok("push", name)
    image = docker.ok("inspect", "--format", "{{.Id}}", name).strip()
    assert config_digest(registry, "docker/busybox", "v1") == image
    docker.ok("tag", "busybox:peer", f"{registry.host}/docker/mounted:v1")
    docker.ok("push", f"{registry.host}/docker/mounted:v1")
    docker.ok("rmi", "-f", image)
    docker.ok("pull", name)
    assert docker.ok("inspect", "--format", "{{.Id}}", name).strip() == image
    docker.ok("rmi", "-f", image)
    docker.ok("pull", "-a", f"{registry.host}/docker/busybox")
    docker.ok("rmi", "-f", image)


@pytest.mark.needs_root
@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_skopeo_copies_both_ways(registry, need_tool, scratch, image_archive, form):
    need_tool("skopeo")
    there = f"docker://{registry.host}/skopeo/busybox:{form}"
    skopeo = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
    for source, to in ((f"docker-archive:{image_archive}", there), (there, f"dir:{scratch}/dir"), (there, there + "-2")):
        result = program.run([*skopeo, "--format", form, source, to])
        assert result.code == 0, result
    first = registry.request("GET", f"/v2/skopeo/busybox/manifests/{form}")
    assert (scratch / "dir/manifest.json").read_bytes() == first.body
    result = program.run(["skopeo", "delete", "--tls-verify=false", there + "-2"])
    assert result.code == 0, result
    result = program.run(["skopeo", "list-tags", "--tls-verify=false", f"docker://{registry.host}/skopeo/busybox"])
    assert form + "-2" not in result.json["Tags"]


@pytest.mark.needs_root
def test_podman_pushes_and_pulls(registry, need_tool, scratch, image_archive):
    need_tool("podman")
    podman = ["podman", "--root", scratch / "podman", "--runroot", scratch / "podman-run", "--storage-driver", "vfs"]
    name = f"{registry.host}/podman/busybox:v1"
    try:
        for args in (["load", "-q", "-i", image_archive], ["tag", "localhost/busybox:peer", name], ["push", "-q", "--tls-verify=false", name],
                     ["rmi", "-f", "-a"], ["pull", "-q", "--tls-verify=false", name]):
            result = program.run([*podman, *args])
            if args[0] == "tag" and result.code:
                result = program.run([*podman, "tag", "docker.io/library/busybox:peer", name])
            assert result.code == 0, result
        assert "sha256:" + program.run([*podman, "image", "inspect", "--format", "{{.Id}}", name]).out.strip() == \
            config_digest(registry, "podman/busybox", "v1")
    finally:
        program.run([*podman, "system", "reset", "-f"])
        shutil.rmtree(scratch / "podman", ignore_errors=True)


@pytest.mark.needs_root
def test_buildah_pushes_and_pulls(registry, need_tool, scratch, image_archive):
    need_tool("buildah")
    buildah = ["buildah", "--root", scratch / "buildah", "--runroot", scratch / "buildah-run", "--storage-driver", "vfs"]
    name = f"{registry.host}/buildah/busybox:v1"

    def ok(*args):
        result = program.run([*buildah, *args])
        assert result.code == 0, result
        return result.out.strip()
    try:
        image = ok("pull", "-q", f"docker-archive:{image_archive}")
        ok("push", "-q", "--tls-verify=false", image, f"docker://{name}")
        ok("rmi", "-f", "-a")
        ok("pull", "-q", "--tls-verify=false", f"docker://{name}")
        assert "sha256:" + ok("inspect", "--type", "image", "--format", "{{.FromImageID}}", name) == config_digest(registry, "buildah/busybox", "v1")
    finally:
        program.run([*buildah, "rmi", "-f", "-a"])
        shutil.rmtree(scratch / "buildah", ignore_errors=True)


@pytest.fixture
def containerd(session_folder):
    peers = pytest.importorskip("test_runtime_peers")
    peers.need("containerd", "ctr")
    folder = session_folder / "containerd-registry"
    folder.mkdir()
    daemon = peers.Containerd(folder)
    try:
        yield daemon.wait()
    finally:
        daemon.stop()


@pytest.mark.needs_root
def test_containerd_pushes_and_pulls(registry, containerd, image_archive):
    if program.SANITIZED:
        pytest.skip("beside other programs it is tested without sanitizers")
    name = f"{registry.host}/containerd/busybox:v1"
    containerd.ok("images", "import", "--index-name", name, image_archive)
    containerd.ok("images", "push", "--plain-http", name)
    containerd.ok("images", "rm", name)
    containerd.ok("images", "pull", "--plain-http", "--snapshotter", "native", name)
    assert name in containerd.ok("images", "ls", "-q")
    assert registry.request("GET", "/v2/containerd/busybox/manifests/v1").status == 200


def test_an_ordinary_user_serves(scratch, make_registry):
    """Its only privilege is the folder."""
    if os.geteuid() != 0:
        pytest.skip("this is one")
    folder = scratch / "ordinary"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
               program.PROGRAMS / "kogge-registry"]
    if program.run([*command, "--version"]).code:
        pytest.skip("an ordinary user cannot reach the build folder")
    process = subprocess.Popen([*command, "serve", "--listen", "127.0.0.1:0", "--root", folder / "root"], stderr=subprocess.PIPE)
    try:
        assert b"listening on port" in process.stderr.readline()
    finally:
        process.terminate()
        process.wait(60)
        process.stderr.close()


@pytest.mark.slow
def test_the_conformance_suite_passes():
    """All four workflows; where the suite is installed."""
    if program.SANITIZED:
        pytest.skip("beside other programs it is tested without sanitizers")
    result = program.run([program.TOP / "tests/conformance/distribution", program.BUILD], timeout=600)
    if result.code == 77:
        pytest.skip(result.out.strip())
    assert result.code == 0, result


def test_a_manifest_of_an_artefact_of_oras(registry):
    """As ORAS pushes it: an empty config, a layer of any type, an artifactType."""
    empty = registry.push_blob("a", b"{}")
    layer = registry.push_blob("a", b"text")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.text",
                "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2, "data": "e30="},
                "layers": [{"mediaType": "text/plain", "digest": layer, "size": 4, "annotations": {"org.opencontainers.image.title": "a"}}]}
    data = json.dumps(manifest).encode()
    answer = registry.put_manifest("a", "t", data)
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, digest_of(data))
