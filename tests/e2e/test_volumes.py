# SPDX-License-Identifier: Apache-2.0
"""volume create, ls, inspect, rm, prune; what is in volumes, and who keeps them."""
import json
import os
import subprocess
import tarfile

import pytest

from harness import images

pytestmark = pytest.mark.needs_root


def volumes(program):
    return program.ok("volume", "ls", "-q").split()


@pytest.fixture(scope="session")
def rich_tar(session_folder, busybox_tar):
    """busybox with a folder to fill volumes from: owners, modes, links, attributes, and links that lead out."""
    path = session_folder / "rich.tar"
    path.write_bytes(busybox_tar.read_bytes())
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as tar:
        images.add(tar, "srv", type=tarfile.DIRTYPE, mode=0o2750, uid=1000, gid=50)
        images.add(tar, "srv/file", "content\n", mode=0o640, uid=1000, gid=50)
        images.add(tar, "srv/suid", "x", mode=0o4755)
        images.add(tar, "srv/hard", type=tarfile.LNKTYPE, linkname="srv/file", mode=0o640, uid=1000, gid=50)
        images.add_link(tar, "srv/link", "file")
        images.add_link(tar, "srv/host", "/etc/shadow")
        images.add(tar, "srv/sub", type=tarfile.DIRTYPE, mode=0o711, uid=1)
        images.add(tar, "srv/sub/deep", "d", mode=0o600, uid=1)
        images.add(tar, "srv/caps", "x", mode=0o755, pax_headers={"SCHILY.xattr.user.note": "kept"})
        images.add_link(tar, "out", "/../../../../etc")
        images.add_link(tar, "alias", "srv")
    return path


@pytest.fixture
def rich(kogge, rich_tar):
    kogge.ok("import", rich_tar, "rich")
    return kogge


def listing(folder):
    """What is in a folder, as one comparable value."""
    found = {}
    for top, dirs, files in os.walk(folder):
        for name in [*dirs, *files, "."]:
            path = os.path.join(top, name)
            st = os.lstat(path)
            found[os.path.normpath(os.path.relpath(path, folder))] = (
                oct(st.st_mode), st.st_uid, st.st_gid, st.st_nlink if not os.path.isdir(path) else 0,
                os.readlink(path) if os.path.islink(path) else None,
                os.getxattr(path, "user.note") if name == "caps" else None)
    return found


def test_the_tutorial_works_to_the_letter(box):
    assert box.ok("volume", "create", "app-data") == "app-data\n"
    box.ok("run", "--rm", "-v", "app-data:/app/data", "busybox", "sh", "-c", "echo kept > /app/data/file")
    assert box.ok("run", "--rm", "-v", "app-data:/app/data", "busybox", "cat", "/app/data/file") == "kept\n"
    assert volumes(box) == ["app-data"]


def test_create_ls_inspect_rm(box):
    assert box.ok("volume", "create", "--label", "a=b", "--label", "c", "one") == "one\n"
    assert box.ok("volume", "create", "one") == "one\n"
    anonymous = box.ok("volume", "create").strip()
    assert len(anonymous) == 64
    assert sorted(volumes(box)) == sorted(["one", anonymous])
    assert box.ok("volume", "ls", "-f", "label=a=b").splitlines() == ["DRIVER    VOLUME NAME", "local     one"]
    assert box.ok("volume", "ls", "-qf", "name=^on") == "one\n"
    assert box.ok("volume", "ls", "--format", "{{.Name}} {{.Label \"a\"}} {{.Labels}}", "-f", "label=c") == "one b a=b,c=\n"
    one = json.loads(box.ok("volume", "inspect", "one"))[0]
    assert list(one) == ["CreatedAt", "Driver", "Labels", "Mountpoint", "Name", "Options", "Scope"]
    assert one["Labels"] == {"a": "b", "c": ""} and one["Options"] is None
    assert one["Mountpoint"] == f"{box.root}/volumes/one/_data" and os.path.isdir(one["Mountpoint"])
    assert json.loads(box.ok("inspect", "--type", "volume", "one"))[0] == one
    box.fails(1, "volume", "inspect", "nope", saying="no such volume")
    box.fails(1, "volume", "rm", "nope", saying="get nope: no such volume")
    box.ok("volume", "rm", "-f", "nope")
    box.ok("volume", "rm", "one", anonymous)
    assert volumes(box) == [] and os.listdir(box.root / "volumes") == []


@pytest.mark.parametrize("name", ["a", "..", ".", "../x", "/x", "a/b", "-x", "_x", "a b", "a\n", "x" * 256, "ä1"])
def test_E16_names_that_are_paths_are_refused(box, name):
    before = set(os.listdir(box.root))
    box.fails((1, 125), "volume", "create", "--", name, saying="volume name")
    assert set(os.listdir(box.root)) - before <= {"volumes"}
    if ":" not in name and name[0] not in "/.":
        box.fails(125, "run", "--rm", "-v", f"{name}:/x", "busybox", "true")
    assert volumes(box) == []


def test_options_of_the_driver(box, scratch, host_unchanged):
    box.fails(1, "volume", "create", "-o", "foo=bar", "v1", saying='create v1: invalid option: "foo"')
    box.fails(1, "volume", "create", "-o", "type=tmpfs", "v1", saying='missing required option: "device"')
    box.fails(1, "volume", "create", "-d", "other", "v1", saying='plugin "other" not found')
    folder = scratch / "folder"
    folder.mkdir()
    (folder / "file").write_text("of the host\n")
    box.ok("volume", "create", "-o", "type=none", "-o", "o=bind,ro", "-o", f"device={folder}", "bound")
    assert box.ok("run", "--rm", "-v", "bound:/x", "busybox", "cat", "/x/file") == "of the host\n"
    box.fails(1, "run", "--rm", "-v", "bound:/x", "busybox", "touch", "/x/new", saying="read-only")
    box.ok("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={scratch}/none", "absent")
    box.fails(125, "run", "--rm", "-v", "absent:/x", "busybox", "true", saying="failed to mount local volume")
    empty = scratch / "empty"
    empty.mkdir()
    box.ok("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={empty}", "filled")
    box.ok("run", "--rm", "-v", "filled:/etc", "busybox", "true")
    assert "passwd" in os.listdir(empty)
    box.ok("volume", "rm", "filled")
    assert "passwd" in os.listdir(empty)
    box.ok("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=1000", "memory")
    box.ok("run", "-d", "--name", "first", "-v", "memory:/x", "busybox", "sleep", "100")
    try:
        box.ok("exec", "first", "sh", "-c", "echo shared > /x/file")
        assert box.ok("run", "--rm", "-v", "memory:/y", "busybox", "cat", "/y/file") == "shared\n"
        assert box.ok("run", "--rm", "-v", "memory:/y", "busybox", "stat", "-c", "%u", "/y") == "1000\n"
    finally:
        box.ok("rm", "-f", "first")
    assert box.ok("run", "--rm", "-v", "memory:/y", "busybox", "ls", "/y") == ""
    options = box.inspect("bound")["Options"]
    assert options == {"type": "none", "o": "bind,ro", "device": str(folder)} and list(options) == sorted(options)


def test_a_server_s_folder_gets_the_options_of_o(box):
    """No server is needed to see what the kernel is given: the refusal names it, as Docker's does."""
    box.ok("volume", "create", "-o", "type=nfs", "-o", "o=addr=127.0.0.1,rw,noatime,nfsvers=4,soft,timeo=1", "-o", "device=:/export", "server")
    box.fails(125, "run", "--rm", "-v", "server:/x", "busybox", "true",
              saying=f"mount :/export:{box.root}/volumes/server/_data, data: addr=127.0.0.1,nfsvers=4,soft,timeo=1:")
    assert box.ok("ps", "-aq") == ""
    box.ok("volume", "rm", "server")


def test_a_volume_in_use_is_not_removed(box):
    box.ok("create", "--name", "user", "-v", "data:/x", "busybox", "true")
    ident = box.inspect("user")["Id"]
    box.fails(1, "volume", "rm", "data", saying=f"remove data: volume is in use - [{ident}]")
    assert box.ok("volume", "ls", "-qf", "dangling=true") == "" and box.ok("volume", "ls", "-qf", "dangling=0") == "data\n"
    assert "data" not in box.ok("volume", "prune", "-af")
    assert box.ok("ps", "-aq", "--filter", "volume=data") != "" and box.ok("ps", "-aq", "--filter", "volume=/x") != ""
    assert box.ok("ps", "-aq", "--filter", "volume=other") == ""
    assert box.ok("ps", "-a", "--format", "{{.Mounts}} {{.LocalVolumes}}") == "data 1\n"
    box.ok("rm", "-v", "user")
    assert volumes(box) == ["data"], "rm -v takes only volumes without a name"
    box.ok("volume", "rm", "data")


def test_anonymous_volumes_go_with_their_container(box):
    box.ok("run", "--rm", "-v", "/x", "-v", "/y", "busybox", "touch", "/x/f", "/y/f")
    assert volumes(box) == [] and os.listdir(box.root / "volumes") == []
    box.ok("run", "--name", "c1", "-v", "/x", "busybox", "touch", "/x/f")
    box.ok("run", "--name", "c2", "--volumes-from", "c1", "busybox", "test", "-e", "/x/f")
    box.ok("rm", "-v", "c1")
    assert len(volumes(box)) == 1, "c2 has it, too"
    box.ok("rm", "c2")
    assert len(volumes(box)) == 1
    assert "Deleted Volumes:" in box.ok("volume", "prune", "-f")
    assert volumes(box) == []
    box.ok("create", "--name", "c3", "-v", "/x", "-v", "named:/y", "busybox", "true")
    box.ok("rm", "-v", "c3")
    assert volumes(box) == ["named"]


def test_prune_takes_what_was_never_named(box):
    box.ok("volume", "create", "--label", "keep", "named")
    anonymous = box.ok("volume", "create").strip()
    assert box("volume", "prune", input="n\n").out.endswith("[y/N] ")
    assert sorted(volumes(box)) == sorted(["named", anonymous])
    out = box.ok("volume", "prune", "-f")
    assert out == f"Deleted Volumes:\n{anonymous}\n\nTotal reclaimed space: 0B\n"
    assert box.ok("volume", "prune", "-f") == "Total reclaimed space: 0B\n"
    assert box.ok("volume", "prune", "-af", "--filter", "label!=keep") == "Total reclaimed space: 0B\n"
    assert "named" in box.ok("volume", "prune", "-f", "--filter", "all=1")


def test_a_new_volume_gets_the_images_content(rich):
    rich.ok("create", "--name", "source", "rich", "sh")
    rich.ok("run", "--rm", "-v", "data:/srv", "rich", "true")
    data = listing(rich.root / "volumes" / "data" / "_data")
    # As the image has it, entry for entry.
    layers = [p for p in (rich.root / "snapshots").glob("*/*/fs/srv")]
    assert data == listing(layers[0])
    assert data["file"][3] == 2 and data["."][:3] == (oct(0o42750), 1000, 50)
    # Once: what was removed stays removed.
    rich.ok("run", "--rm", "-v", "data:/srv", "rich", "rm", "/srv/file")
    assert rich.ok("run", "--rm", "-v", "data:/srv", "rich", "ls", "/srv").split() == ["caps", "hard", "host", "link", "sub", "suid"]
    # Not where it is not wanted, and not over what is there.
    rich.ok("run", "--rm", "-v", "empty:/srv:nocopy", "rich", "true")
    rich.ok("run", "--rm", "--mount", "src=empty2,dst=/srv,volume-nocopy", "rich", "true")
    for name in ("empty", "empty2"):
        assert os.listdir(rich.root / "volumes" / name / "_data") == []
    # At creation, not only at the start, and also through a link of the image.
    rich.ok("create", "--name", "cc", "-v", "early:/alias", "rich", "true")
    assert "file" in os.listdir(rich.root / "volumes" / "early" / "_data")


def test_E16_no_link_of_the_image_leads_out_of_it(rich, canary):
    secret = os.listdir("/etc")
    rich.ok("run", "--rm", "-v", "data:/out", "rich", "true")
    found = os.listdir(rich.root / "volumes" / "data" / "_data")
    assert "passwd" in found and "shadow" not in found and len(found) < len(secret)
    rich.ok("run", "--rm", "-v", "up:/../../srv", "rich", "true")
    assert "file" in os.listdir(rich.root / "volumes" / "up" / "_data")


def test_E16_volumes_of_the_image(kogge, busybox_tar):
    kogge.ok("import", "-c", "VOLUME /data", "-c", "VOLUME /../../up", busybox_tar, "declares")
    kogge.ok("create", "--name", "cc", "declares", "sh")
    mounts = kogge.inspect("cc")["Mounts"]
    assert sorted(m["Destination"] for m in mounts) == ["/data", "/up"]
    assert all(m["Type"] == "volume" and len(m["Name"]) == 64 and m["Mode"] == "" for m in mounts)
    kogge.ok("rm", "-v", "cc")
    kogge.ok("run", "--rm", "-v", "mine:/data", "--tmpfs", "/up", "declares", "grep", "-q", "tmpfs /up", "/proc/mounts")
    assert volumes(kogge) == ["mine"]
    for where in ("/", "/..", "/proc", "/proc/self"):
        kogge.ok("import", "-c", f"VOLUME {where}", busybox_tar, "evil")
        kogge.fails(125, "run", "--rm", "evil", "true")
        assert volumes(kogge) == ["mine"]


def test_a_commit_declares_volumes_and_has_none_of_their_content(box):
    box.ok("run", "--name", "cc", "-v", "/data", "-v", "named:/named", "busybox", "touch", "/data/f", "/named/f", "/kept")
    box.ok("commit", "cc", "committed")
    assert json.loads(box.ok("image", "inspect", "committed"))[0]["Config"]["Volumes"] == {"/data": {}}
    box.ok("run", "--rm", "committed", "sh", "-c", "test -e /kept && test ! -e /data/f && test ! -e /named/f && grep -q ' /data ' /proc/mounts")
    box.ok("rm", "-v", "cc")
    assert volumes(box) == ["named"]


def test_volumes_stay_over_restarts_by_the_monitor(box):
    box.ok("run", "-d", "--name", "again", "--restart", "on-failure:2", "-v", "data:/x", "-v", "/y", "busybox", "sh", "-c",
           "echo x >> /x/log; echo y >> /y/log; test $(wc -l < /y/log) = 3 && exit 0; exit 1")
    box.ok("wait", "again")
    assert box.ok("run", "--rm", "-v", "data:/x", "busybox", "cat", "/x/log") == "x\n" * 3
    box.ok("rm", "-v", "again")
    assert volumes(box) == ["data"]


def test_volumes_from(box):
    box.ok("create", "--name", "source", "-v", "data:/data", "-v", "/anonymous", "-v", "/etc:/host:ro", "busybox", "true")
    shown = {m["Destination"]: m for m in box.inspect("source")["Mounts"]}
    box.ok("run", "--name", "rw", "--volumes-from", "source", "busybox", "touch", "/data/f")
    copied = {m["Destination"]: m for m in box.inspect("rw")["Mounts"]}
    assert {d: m.get("Name", m["Source"]) for d, m in copied.items()} == {d: m.get("Name", m["Source"]) for d, m in shown.items()}
    assert box.inspect("rw")["HostConfig"]["VolumesFrom"] == ["source"]
    box.fails(1, "run", "--rm", "--volumes-from", "source:ro", "busybox", "touch", "/data/f", saying="read-only")
    box.fails(1, "run", "--rm", "--volumes-from", "source", "busybox", "touch", "/host/f", saying="read-only")
    box.fails(125, "run", "--rm", "--volumes-from", "nobody", "busybox", "true", saying="no such container: nobody")
    box.fails(125, "run", "--rm", "--volumes-from", "source:bad", "busybox", "true", saying="invalid mode: bad")
    box.ok("run", "--rm", "--volumes-from", "source", "-v", "other:/data", "busybox", "sh", "-c", "test ! -e /data/f")


@pytest.mark.parametrize("where", ["store.volume.add", "store.volume.copied", "store.volume.fill", "store.volume.move@2",
                                   "store.db.commit", "engine.mounts.opened", "engine.start.prepared"])
def test_F01_killed_while_a_volume_is_made(rich, where):
    point, _, nth = where.partition("@")
    rich("run", "--rm", "-v", "data:/srv", "rich", "true", env={"KOGGE_FAILPOINTS": f"{point}=kill{'@' + nth if nth else ''}"})
    rich.ok("run", "--rm", "-v", "data:/srv", "rich", "test", "-e", "/srv/sub/deep")
    layer = [p for p in (rich.root / "snapshots").glob("*/*/fs/srv")][0]
    assert listing(rich.root / "volumes" / "data" / "_data") == listing(layer)
    assert os.listdir(rich.root / "volumes" / "data") == ["_data"]
    assert rich.ok("ps", "-aq") == ""
    assert "0 damaged, 0 unused" in rich.ok("system", "check")


@pytest.mark.parametrize("where", ["store.volume.remove", "store.db.commit", "store.volume.sweep"])
def test_F01_killed_while_a_volume_is_removed(box, where):
    box.ok("run", "--rm", "-v", "data:/x", "busybox", "touch", "/x/old")
    box("volume", "rm", "data", env={"KOGGE_FAILPOINTS": f"{where}=kill"})
    there = "data" in volumes(box)
    found = box.ok("run", "--rm", "-v", "data:/x", "busybox", "ls", "/x")
    assert found == ("old\n" if there else "")
    assert "0 damaged, 0 unused" in box.ok("system", "check")
    assert os.listdir(box.root / "volumes") == ["data"]


def test_F03_a_volume_that_cannot_be_filled_leaves_no_container(rich):
    rich.fails(125, "run", "--name", "cc", "-v", "data:/srv", "-v", "/x", "rich", "true", saying="filling the volume",
               env={"KOGGE_FAILPOINTS": "store.volume.copied=error(ENOSPC)"})
    assert rich.ok("ps", "-aq") == "" and volumes(rich) == ["data"]
    assert os.listdir(rich.root / "volumes" / "data") == ["_data"]
    rich.ok("run", "--rm", "-v", "data:/srv", "rich", "test", "-e", "/srv/file")


def test_F12_sixteen_containers_fill_one_volume(rich):
    running = [rich.popen("run", "--rm", "-v", "data:/srv", "rich", "sh", "-c", "ls /srv | wc -l; test -e /srv/sub/deep",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(16)]
    for process in running:
        out = process.communicate(timeout=120)[0]
        assert (process.returncode, out) == (0, "7\n")
    assert "0 damaged, 0 unused" in rich.ok("system", "check")


def test_events_of_volumes(box):
    box.ok("run", "--rm", "-v", "data:/x", "busybox", "true")
    box.ok("volume", "rm", "data")
    lines = box.ok("events", "--since", "1h", "--until", "0s", "--filter", "volume=data", "--format", "{{.Action}}")
    assert lines.split() == ["create", "mount", "unmount", "destroy"]


@pytest.mark.needs_docker
def test_volume_verbs_say_what_docker_says(kogge, docker, rich_tar):
    kogge.ok("import", rich_tar, "rich")
    docker.ok("import", rich_tar, "rich")
    cases = [("ls",), ("create", "--label", "a=b", "vol1"), ("create", "vol1"), ("ls", "-q"), ("ls", "-f", "dangling=false"),
             ("ls", "-f", "foo=bar"), ("inspect", "nope"), ("rm", "nope"), ("create", "a/b"), ("create", "-o", "foo=1", "v"),
             ("create", "-o", "type=tmpfs", "v"), ("create", "-d", "nope", "v"), ("rm",), ("create", "a", "b"),
             *(("create", name) for name in ("vol10", "vol2", "vol02", "Vol", "vol-1")), ("ls",), ("rm", "vol1", "nope2"),
             ("rm", "-f", "vol10", "vol2", "vol02", "Vol", "vol-1", "nope"), ("ls", "-q")]
    try:
        for case in cases:
            ours, theirs = kogge("volume", *case), docker("volume", *case)
            assert (ours.code, ours.out) == (theirs.code, theirs.out), f"{case}: {ours} {theirs}"
        for program in (kogge, docker):
            program.ok("run", "--name", "cc", "--network", "none", "-v", "data:/srv", "-v", "/srv/sub", "rich", "true")
        ours, theirs = (listing(json.loads(p.ok("volume", "inspect", "data"))[0]["Mountpoint"]) for p in (kogge, docker))
        assert ours == theirs
        ours, theirs = (p("volume", "rm", "data") for p in (kogge, docker))
        assert ours.code == theirs.code and "volume is in use - [" in ours.err and "volume is in use - [" in theirs.err
        for program in (kogge, docker):
            program.ok("rm", "-v", "cc")
            assert volumes(program) == ["data"]
            program.ok("volume", "rm", "data")
    finally:
        docker("rm", "-f", "cc")
        docker("volume", "rm", "-f", "data", "vol1", "v", "vol10", "vol2", "vol02", "Vol", "vol-1")
        docker("rmi", "-f", "rich")
