# SPDX-License-Identifier: Apache-2.0
"""build --output: where the result goes besides the store."""
import json
import os
import subprocess
import tarfile

import pytest

pytestmark = pytest.mark.needs_root

DOCKERFILE = """FROM scratch AS files
COPY --chown=1000:1000 . /data/
FROM scratch
COPY --from=files /data /
LABEL a=b
"""


@pytest.fixture
def context(scratch):
    folder = scratch / "context"
    (folder / "sub").mkdir(parents=True)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "sub" / "file").write_text("content\n")
    (folder / "sub" / "link").symlink_to("file")
    os.link(folder / "sub" / "file", folder / "sub" / "second")
    return folder


def tree(top):
    found = {}
    for folder, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            link = os.readlink(path) if os.path.islink(path) else ""
            found[os.path.relpath(path, top)] = (oct(st.st_mode), st.st_uid, link, st.st_size if os.path.isfile(path) else 0)
    return found


def members(path):
    with tarfile.open(path) as tar:
        return sorted((m.name.strip("/"), m.mode & 0o7777, m.uid, m.type, m.linkname) for m in tar)


BUILDKIT = {"DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}


def test_a_folder_and_a_tar_are_those_of_buildkit(kogge, docker, context, scratch):
    for args, name in ((["-o", "{}"], "short"), (["--output", "type=local,dest={}"], "local")):
        ours, theirs = scratch / f"our-{name}", scratch / f"their-{name}"
        kogge.ok("build", *[a.format(ours) for a in args], context)
        docker.ok("build", *[a.format(theirs) for a in args], context, env=BUILDKIT)
        assert tree(ours) == tree(theirs) and tree(ours)["sub/link"][2] == "file"
    kogge.ok("build", "-o", f"type=tar,dest={scratch}/our.tar", context)
    docker.ok("build", "-o", f"type=tar,dest={scratch}/their.tar", context, env=BUILDKIT)
    assert [m[:3] for m in members(scratch / "our.tar")] == [m[:3] for m in members(scratch / "their.tar")]
    assert kogge.ok("images", "-aq") == "" and "0 damaged, 0 unused" in kogge.ok("system", "check")


def test_archives_on_stdout_and_in_files(kogge, context, scratch):
    result = kogge("build", "-q", "-o", "-", context)
    (scratch / "root.tar").write_bytes(result.raw_out)
    assert ("sub/link", 0o777, 1000, tarfile.SYMTYPE, "file") in members(scratch / "root.tar")
    kogge.ok("build", "-t", "app:1", "-o", f"type=docker,dest={scratch}/d.tar", context)
    kogge.ok("build", "-o", f"type=oci,dest={scratch}/oci.tar,name=other:2", context)
    assert kogge.ok("images", "-aq") == ""
    assert "Loaded image: app:1" in kogge.ok("load", "-i", scratch / "d.tar")
    assert "Loaded image: other:2" in kogge.ok("load", "-i", scratch / "oci.tar")
    kogge.ok("build", "-o", f"type=oci,dest={scratch}/layout,tar=false", "-o", "type=image,name=third:3", context)
    assert json.loads((scratch / "layout" / "index.json").read_text())["manifests"]
    ids = set(kogge.ok("images", "-q", "--no-trunc").split())
    assert len(ids) == 1 and kogge.ok("images", "third", "--format", "{{.Tag}}") == "3\n"


def test_peers_read_an_oci_archive(kogge, need_tool, context, scratch):
    need_tool("skopeo")
    kogge.ok("build", "-o", f"type=oci,dest={scratch}/oci.tar", context)
    seen = subprocess.run(["skopeo", "inspect", f"oci-archive:{scratch}/oci.tar"], stdout=subprocess.PIPE, check=True)
    assert json.loads(seen.stdout)["Labels"] == {"a": "b"}


def manifest_of(archive):
    with tarfile.open(archive) as tar:
        index = json.load(tar.extractfile("index.json"))
        digest = index["manifests"][0]["digest"].split(":")[1]
        return json.load(tar.extractfile(f"blobs/sha256/{digest}"))


def test_annotations_are_in_the_manifest(kogge, context, scratch):
    kogge.ok("build", "-t", "app", context)
    for flags, want in (([], {}), (["--annotation", "a.b=c=d", "--annotation", "manifest:x=y"], {"a.b": "c=d", "x": "y"})):
        kogge.ok("build", "-t", "app", *flags, "-o", f"type=oci,dest={scratch}/oci.tar", context)
        assert manifest_of(scratch / "oci.tar").get("annotations", {}) == want
    kogge.fails(1, "build", "--annotation", "nothing", context, saying="expected key=value")
    kogge.fails(1, "build", "--annotation", "index:a=b", context, saying="manifest")


@pytest.mark.parametrize("text, saying", [
    ("type=nonsense", "unsupported type 'nonsense'"), ("dest=x", "type is required"), ("type=local", "output directory is required"),
    ("type=local,dest=-", "cannot be stdout"), ("type=oci,tar=false", "dest is required"), ("type=oci,tar=perhaps", "invalid value"),
    ("type=image,push=true", "kogge push"), ("type=tar,nothing=1", "nothing"), ("type=tar,dest=/nowhere/x.tar", "/nowhere/x.tar"),
])
def test_what_cannot_be_written_is_refused_and_leaves_nothing(kogge, context, text, saying):
    kogge.fails(1, "build", "-o", text, context, saying=saying)
    assert kogge.ok("images", "-aq") == "" and "0 damaged, 0 unused" in kogge.ok("system", "check")


def test_a_folder_is_not_left_through_its_links(kogge, context, scratch, canary):
    """What lies in the folder may be anybody's: a link in it leads nowhere."""
    out = scratch / "out"
    out.mkdir()
    (out / "sub").symlink_to(canary)
    kogge("build", "-o", out, context)
    assert not (canary / "second").exists()
