# SPDX-License-Identifier: Apache-2.0
"""-v, --mount and --tmpfs: what is mounted where and how, what is refused, and what is left on the host."""
import ctypes
import json
import os
import subprocess
import threading

import pytest

from harness import images

pytestmark = pytest.mark.needs_root
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def folder(scratch):
    """A folder on the host with a file, and a tmpfs mounted below it in a place of its own."""
    top = scratch / "folder"
    (top / "below").mkdir(parents=True)
    (top / "file").write_text("of the host\n")
    return top


@pytest.fixture
def with_submount(folder):
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder / "below"], check=True)
    yield folder
    subprocess.run(["umount", folder / "below"], check=True)


def test_binds_read_write_and_read_only(box, folder):
    assert box.ok("run", "--rm", "-v", f"{folder}:/x", "busybox", "cat", "/x/file") == "of the host\n"
    box.ok("run", "--rm", "-v", f"{folder}:/x", "busybox", "sh", "-c", "echo new > /x/new")
    assert (folder / "new").read_text() == "new\n"
    for how in (("-v", f"{folder}:/x:ro"), ("--mount", f"type=bind,src={folder},dst=/x,readonly"),
                ("--mount", f"type=bind,\"source={folder}\",target=/x,ro=true")):
        box.fails(1, "run", "--rm", *how, "busybox", "touch", "/x/no", saying="read-only")
    assert box.ok("run", "--rm", "-v", f"{folder}/file:/etc/file", "busybox", "cat", "/etc/file") == "of the host\n"
    assert box.ok("run", "--rm", "-v", "./below:/x", "busybox", "ls", "/x", cwd=folder) == ""
    assert box.ok("run", "--rm", "-v", ".:/x", "busybox", "cat", "/x/file", cwd=folder) == "of the host\n"
    box.ok("run", "--rm", "-v", f"{folder}:/x:z", "-v", f"{folder}:/y:Z,ro", "-v", f"{folder}:/w:cached", "busybox", "true")


def test_a_bind_over_files_that_the_engine_makes(box, folder):
    out = box.ok("run", "--rm", "-v", f"{folder}/file:/etc/hosts", "-v", f"{folder}:/dev/shm", "busybox", "cat", "/etc/hosts",
                 "/dev/shm/file")
    assert out == "of the host\n" * 2
    # /etc of the user, and in it the engine's files.
    assert "localhost" in box.ok("run", "--rm", "-v", f"{folder}/below:/etc", "busybox", "cat", "/etc/hosts")
    # Whatever the order on the command line: the nearer to the root comes first.
    assert box.ok("run", "--rm", "-v", f"{folder}/file:/a/b/c", "-v", f"{folder}/below:/a", "busybox", "cat", "/a/b/c") == "of the host\n"


def test_a_missing_source_is_made_by_v_and_refused_by_mount(box, scratch, canary):
    place = scratch / "made" / "by" / "kogge"
    box.fails(125, "run", "--rm", "--mount", f"type=bind,src={place},dst=/x", "busybox", "true",
              saying=f'invalid mount config for type "bind": bind source path does not exist: {place}')
    assert not (scratch / "made").exists()
    # A start that fails takes away what it made, and only that.
    for how in (("busybox", "/no/such/program"), ("-v", "/etc/passwd:/proc/x", "busybox", "true")):
        box.fails((125, 127), "run", "--rm", "-v", f"{place}:/x", *how)
        assert not (scratch / "made").exists()
    (scratch / "made").mkdir()
    box.fails(127, "run", "--rm", "-v", f"{place}:/x", "busybox", "/no/such/program")
    assert os.listdir(scratch / "made") == []
    box.fails(125, "run", "--rm", "-v", f"{place}:/x", "busybox", "true",
              env={"KOGGE_FAILPOINTS": "engine.start.prepared=error(EIO)"})
    assert os.listdir(scratch / "made") == []
    box.ok("run", "--rm", "-v", f"{place}:/x", "busybox", "touch", "/x/f")
    assert (place / "f").exists() and oct(place.stat().st_mode) == oct(0o40755)


REFUSED = [
    ("invalid specification: destination can't be '/'", "-v", "data:/"),
    ("invalid specification: destination can't be '/'", "-v", "/etc:/.."),
    ("invalid specification: destination can't be '/'", "--mount", "dst=/"),
    ("cannot be '/'", "--tmpfs", "/"),
    ("mount path must be absolute", "-v", "data:x"),
    ("mount path must be absolute", "--mount", "type=bind,src=etc,dst=/x"),
    ("invalid mode: bad", "-v", "/etc:/x:bad"),
    ("invalid mode: ro,rw", "-v", "/etc:/x:ro,rw"),
    ("invalid volume specification", "-v", "/x:rw"),
    ("empty section between colons", "-v", ":/x"),
    ("empty section between colons", "-v", "/etc::ro"),
    ("too many colons", "-v", "/etc:/x:ro:z"),
    ("invalid empty volume spec", "-v", ""),
    ("duplicate mount point: /x", "-v", "/etc:/x", "-v", "/usr:/x/"),
    ("duplicate mount point: /x", "-v", "/etc:/x", "--mount", "type=tmpfs,dst=/x"),
    ("duplicate mount point: /x", "-v", "/etc:/x", "--tmpfs", "/x"),
    ("field BindOptions must not be specified", "-v", "data:/x:rshared"),
    ("must not set ReadOnly mode when using anonymous volumes", "--mount", "dst=/x,ro"),
    ("must not set Subpath when using anonymous volumes", "--mount", "dst=/x,volume-subpath=a"),
    ("subpath must be a relative path within the volume", "--mount", "src=data,dst=/x,volume-subpath=../x"),
    ("subpath must be a relative path within the volume", "--mount", "src=data,dst=/x,volume-subpath=/x"),
    ("field Source must not be specified", "--mount", "type=tmpfs,src=/x,dst=/x"),
    ("field Source must not be empty", "--mount", "type=bind,dst=/x"),
    ("mount type unknown", "--mount", "type=other,dst=/x"),
    ("target is required", "--mount", "type=bind,src=/etc"),
    ("unexpected key 'a' in 'a=b'", "--mount", "dst=/x,a=b"),
    ("invalid field 'dst' must be a key=value pair", "--mount", "dst"),
    ("invalid value for readonly: maybe", "--mount", "type=bind,src=/etc,dst=/x,readonly=maybe"),
    ("invalid value for tmpfs-size: x", "--mount", "type=tmpfs,dst=/x,tmpfs-size=x"),
    ("invalid value for tmpfs-mode: 9", "--mount", "type=tmpfs,dst=/x,tmpfs-mode=9"),
    ("invalid value for bind-recursive: x", "--mount", "type=bind,src=/etc,dst=/x,bind-recursive=x"),
    ("requires 'readonly' to be specified", "--mount", "type=bind,src=/etc,dst=/x,bind-recursive=readonly"),
    ("requires 'bind-propagation=rprivate'", "--mount", "type=bind,src=/etc,dst=/x,ro,bind-recursive=readonly"),
    ("invalid propagation mode: x", "--mount", "type=bind,src=/etc,dst=/x,bind-propagation=x"),
    ("cannot mix 'volume-*' options with mount type 'bind'", "--mount", "type=bind,src=/etc,dst=/x,volume-nocopy"),
    ("cannot mix 'bind-*' options with mount type 'volume'", "--mount", "dst=/x,bind-propagation=shared"),
    ("cannot mix 'tmpfs-*' options with mount type 'volume'", "--mount", "dst=/x,tmpfs-size=1"),
    ("bare \" in non-quoted", "--mount", "type=bind,src=a\"b,dst=/x"),
    ("quoted-field", "--mount", "\"type=bind"),
    ("nothing may be mounted over /proc", "-v", "data:/proc"),
    ("nothing may be mounted over /proc", "-v", "/etc:/proc/sys"),
    ("nothing may be mounted over /proc", "--mount", "type=bind,src=/etc,dst=/x/../proc/1"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: " ".join(c[1:]) or "empty")
def test_E12_what_no_mount_may_be(box, case):
    saying, *options = case
    box.fails(125, "run", "--rm", *options, "busybox", "true", saying=saying)
    assert box.ok("ps", "-aq") == ""
    assert set(box.ok("volume", "ls", "-q").split()) <= {"data"}


def test_paths_that_cannot_be_stored_are_refused(box, scratch):
    box.fails(125, "run", "--rm", "-v", os.fsdecode(bytes(scratch) + b"/\xff:/x"), "busybox", "true", saying="UTF-8")
    box.fails(125, "run", "--rm", "-v", os.fsdecode(b"data:/x\xff"), "busybox", "true", saying="UTF-8")
    assert box.ok("ps", "-aq") == "" and sorted(os.listdir(scratch)) == ["root", "run"]


def test_files_and_folders_do_not_mix(box, folder):
    box.fails(125, "run", "--rm", "-v", f"{folder}:/etc/passwd", "busybox", "true", saying="not a directory")
    box.fails(125, "run", "--rm", "-v", f"{folder}/file:/etc", "busybox", "true", saying="directory")
    box.fails(125, "run", "--rm", "-v", "/etc/passwd", "busybox", "true", saying="cannot mount volume over existing file")
    assert box.ok("volume", "ls", "-q") == ""


def test_E35_what_is_mounted_below(box, with_submount):
    source = with_submount
    (source / "below" / "inner").write_text("inner\n")
    mount = f"type=bind,src={source},dst=/x"
    touch = ("busybox", "touch", "/x/below/new")
    see = ("busybox", "cat", "/x/below/inner")
    assert box.ok("run", "--rm", "--mount", mount, *see) == "inner\n"
    for how in (("-v", f"{source}:/x:ro"), ("--mount", f"{mount},ro"),
                ("--mount", f"{mount},ro,bind-recursive=readonly,bind-propagation=rprivate")):
        box.fails(1, "run", "--rm", *how, *touch, saying="read-only")
    box.ok("run", "--rm", "--mount", f"{mount},ro,bind-recursive=writable", *touch)
    box.fails(1, "run", "--rm", "--mount", f"{mount},ro,bind-recursive=writable", "busybox", "touch", "/x/new", saying="read-only")
    for none in ("bind-recursive=disabled", "bind-nonrecursive", "bind-nonrecursive=true"):
        box.fails(1, "run", "--rm", "--mount", f"{mount},{none}", *see, saying="no such file")
    (source / "below" / "new").unlink()


def test_E35_subpaths_stay_in_their_volume(box, canary):
    box.ok("run", "--rm", "-v", "data:/x", "busybox", "sh", "-c",
           f"mkdir -p /x/a/b; echo in > /x/a/b/file; ln -s a/b /x/inside; ln -s /etc /x/abs; ln -s ../../../../../../etc /x/up;"
           f" ln -s {canary} /x/canary; ln -s /proc/self/root /x/magic; ln -s . /x/loop; ln -s /x/me /x/me")
    mount = "src=data,dst=/y,volume-subpath="
    assert box.ok("run", "--rm", "--mount", mount + "a/b", "busybox", "cat", "/y/file") == "in\n"
    assert box.ok("run", "--rm", "--mount", mount + "inside", "busybox", "cat", "/y/file") == "in\n"
    assert box.ok("run", "--rm", "--mount", mount + "a/b/file", "busybox", "cat", "/y") == "in\n"
    assert box.ok("run", "--rm", "--mount", mount + "loop/loop/a/b", "busybox", "cat", "/y/file") == "in\n"
    for bad in ("abs", "up", "canary", "magic", "up/passwd", "canary/secret", "me", "none"):
        box.fails((125, 127), "run", "--rm", "--mount", mount + bad, "busybox", "ls", "/y")
    assert box.ok("ps", "-aq") == ""


def test_E35_a_subpath_that_is_exchanged_all_the_time(box, canary):
    """CVE-2017-1002101: a container exchanges the folder for a link while others mount it."""
    box.ok("run", "--rm", "-v", "data:/x", "busybox", "sh", "-c", f"mkdir /x/sub /x/other; echo in > /x/sub/file; ln -s {canary} /x/link")
    data = os.open(box.root / "volumes" / "data" / "_data", os.O_RDONLY | os.O_DIRECTORY)
    stop = threading.Event()

    def exchange():
        while not stop.is_set():
            libc.syscall(316, data, b"sub", data, b"link", 2)  # renameat2, RENAME_EXCHANGE

    racer = threading.Thread(target=exchange)
    racer.start()
    try:
        for _ in range(60):
            result = box("run", "--rm", "--mount", "src=data,dst=/y,volume-subpath=sub", "busybox", "ls", "/y")
            assert result.out in ("", "file\n", "deeper\nfile\n"), str(result)
            box("run", "--rm", "-v", "data:/x", "-v", "/x/sub/deeper", "busybox", "true")
    finally:
        stop.set()
        racer.join()
        os.close(data)
    assert sorted(p.name for p in canary.iterdir()) == ["empty", "file", "link", "secret"]


def test_E08_a_target_that_is_exchanged_all_the_time(box, canary):
    """CVE-2021-30465: the second mount's place lies in a volume in which somebody exchanges a folder for a link."""
    box.ok("run", "--rm", "-v", "data:/x", "busybox", "sh", "-c", f"mkdir /x/sub; ln -s {canary} /x/link")
    data = os.open(box.root / "volumes" / "data" / "_data", os.O_RDONLY | os.O_DIRECTORY)
    stop = threading.Event()

    def exchange():
        while not stop.is_set():
            libc.syscall(316, data, b"sub", data, b"link", 2)

    racer = threading.Thread(target=exchange)
    racer.start()
    try:
        for _ in range(60):
            result = box("run", "--rm", "-v", "data:/x", "-v", "/etc/hostname:/x/sub/made", "busybox", "true")
            assert result.code in (0, 125, 126, 127), str(result)
    finally:
        stop.set()
        racer.join()
        os.close(data)
    assert sorted(p.name for p in canary.iterdir()) == ["empty", "file", "link", "secret"]


def test_E08_links_of_the_image_at_the_place(kogge, scratch, canary, folder):
    tar = images.busybox(scratch / "links.tar")
    import tarfile
    with tarfile.open(tar, "a") as t:
        images.add_link(t, "abs", str(canary))
        images.add_link(t, "up", "../../../.." + str(canary))
        images.add_link(t, "run", "/var")
    kogge.ok("import", tar, "links")
    for place in ("/abs", "/up", "/abs/new", "/up/new/deep"):
        out = kogge.ok("run", "--rm", "-v", f"{folder}:{place}", "links", "cat", f"{place}/file")
        assert out == "of the host\n"
    assert kogge.ok("run", "--rm", "-v", f"{folder}:/run/x", "links", "cat", "/var/x/file") == "of the host\n"
    assert sorted(p.name for p in canary.iterdir()) == ["empty", "file", "link", "secret"]


def test_E36_mounts_of_containers_are_not_on_the_host(box, folder):
    """The host's mount table is compared by the fixture; here while containers run."""
    def table():
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            return [line for line in f if str(box.folder) in line]

    before = table()
    box.ok("run", "-d", "--name", "all", "-v", "data:/v", "-v", f"{folder}:/b", "--mount", "type=tmpfs,dst=/t", "--tmpfs", "/u",
           "--mount", "type=image,src=busybox,dst=/i", "--mount", "src=data,dst=/s", "busybox", "sleep", "100")
    try:
        assert table() == before
        box.ok("exec", "all", "sh", "-c", "test -e /b/file && test -e /i/bin/busybox && touch /v/f && test -e /s/f && grep -q '/t tmpfs' /proc/mounts")
    finally:
        box.ok("rm", "-f", "all")
    assert table() == before


def test_propagation(box, scratch):
    """Shared: what the container mounts appears on the host, and the other way round; a slave only sees the host's."""
    shared = scratch / "shared"
    shared.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "--make-private", "tmpfs", shared], check=True)
    try:
        box.fails(125, "run", "--rm", "-v", f"{shared}:/x:rshared", "busybox", "true", saying="is not a shared mount")
        subprocess.run(["mount", "--make-shared", shared], check=True)
        (shared / "a").mkdir()
        for mode, see in (("rshared", True), ("rslave", True), ("rprivate", False)):
            box.ok("run", "-d", "--name", "it", "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined",
                   "-v", f"{shared}:/x:{mode}", "busybox", "sleep", "100")
            try:
                subprocess.run(["mount", "-t", "tmpfs", "tmpfs", shared / "a"], check=True)
                (shared / "a" / "host").touch()
                assert (box("exec", "it", "test", "-e", "/x/a/host").code == 0) == see, mode
                subprocess.run(["umount", shared / "a"], check=True)
                box.ok("exec", "it", "mount", "-t", "tmpfs", "tmpfs", "/x/a")
                box.ok("exec", "it", "touch", "/x/a/container")
                assert (shared / "a" / "container").exists() == (mode == "rshared"), mode
                if mode == "rshared":
                    subprocess.run(["umount", shared / "a"], check=True)
            finally:
                box.ok("rm", "-f", "it")
    finally:
        subprocess.run(["umount", "-R", shared], check=True)


def test_tmpfs_by_mount(box):
    out = box.ok("run", "--rm", "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0750", "busybox", "sh", "-c",
                 "stat -c %a /t; df -k /t | tail -1 | awk '{print $2}'; grep ' /t ' /proc/mounts")
    assert out.splitlines()[:2] == ["750", "1024"] and "nosuid,nodev,noexec" in out
    box.fails(1, "run", "--rm", "--mount", "type=tmpfs,dst=/t,ro", "busybox", "touch", "/t/x", saying="read-only")


def test_images_as_mounts(box, busybox_tar):
    box.ok("import", busybox_tar, "other")
    box.ok("create", "--name", "user", "--mount", "type=image,src=other,dst=/i", "busybox", "sh", "-c", "test -x /i/bin/busybox && ! touch /i/x")
    box.ok("rmi", "other")
    box.ok("start", "-a", "user")
    box.ok("system", "check")
    box.ok("rm", "user")
    assert "0 damaged, 0 unused" in box.ok("system", "check")
    box.ok("run", "--rm", "--mount", "type=image,src=busybox,dst=/i,image-subpath=etc", "busybox", "test", "-e", "/i/passwd")
    box.fails(125, "run", "--rm", "--mount", "type=image,src=nope,dst=/i", "busybox", "true", saying="nope")


def test_mounts_stay_over_restarts(box, folder):
    box.ok("create", "--name", "it", "-v", "data:/x", "-v", f"{folder}:/y:ro", "--mount", "type=tmpfs,dst=/z", "busybox", "sh", "-c",
           "echo again >> /x/log; cat /x/log; cat /y/file")
    assert box.ok("start", "-a", "it") == "again\nof the host\n"
    assert box.ok("start", "-a", "it") == "again\nagain\nof the host\n"
    box.ok("rm", "it")


OPTIONS = [
    ("-v", "{f}:/x"), ("-v", "{f}:/x:ro"), ("-v", "{f}:/x:ro,z"), ("-v", "{f}/../folder/:/x/"), ("-v", "named:/x"),
    ("-v", "named:/x:ro,nocopy"), ("-v", "/anonymous"), ("-v", "{f}/file:/etc/file:delegated"),
    ("--mount", "type=bind,src={f},dst=/x,readonly"), ("--mount", "type=volume,src=named,dst=/x,volume-nocopy"),
    ("--mount", "dst=/x"), ("--mount", "type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=700"),
    ("--mount", "type=volume,src=labelled,dst=/x,volume-label=a=b"), ("--mount", "type=bind,src={f},dst=/x,bind-propagation=private"),
    ("-v", "{f}:/x", "-v", "named:/y", "--mount", "type=tmpfs,dst=/z", "--tmpfs", "/t:size=1m"),
]
FAILING = [("-v", "{f}:/etc/passwd"), ("-v", "{f}/file:/etc"), ("-v", "/etc/passwd"), ("--mount", "type=bind,src={f}/none,dst=/x"),
           ("-v", "{f}:/"), ("-v", "a/b:/x"), ("-v", "{f}:/x:bad"), ("-v", "{f}:/x", "-v", "named:/x"), ("--volumes-from", "nobody"),
           ("--volume-driver", "nope", "-v", "named:/x"), ("-v", "{f}:/x:rshared")]


def described(program, name):
    """What inspect shows of a container's mounts, with the names of anonymous volumes and the place of the store left out."""
    one = json.loads(program.ok("inspect", name))[0]
    for m in one["Mounts"]:
        if m["Type"] == "volume":
            assert m["Source"].endswith(f"/volumes/{m['Name']}/_data")
            m["Source"] = "/volumes"
            m["Name"] = "anonymous" if len(m["Name"]) == 64 else m["Name"]
    host = one["HostConfig"]
    return {"Mounts": sorted(one["Mounts"], key=lambda m: m["Destination"]), "Binds": sorted(host["Binds"] or []), "HostMounts": host.get("Mounts"),
            "Tmpfs": host.get("Tmpfs"), "VolumesFrom": host["VolumesFrom"], "VolumeDriver": host["VolumeDriver"],
            "Volumes": one["Config"]["Volumes"]}


@pytest.mark.needs_docker
def test_inspect_and_exit_codes_are_dockers(kogge, docker, busybox_tar, folder):
    try:
        for program in (kogge, docker):
            program.ok("import", "-c", "VOLUME /declared", busybox_tar, "busybox")
        for case in OPTIONS:
            options = [o.format(f=folder) for o in case]
            for program in (kogge, docker):
                program.ok("create", "--name", "it", "--network", "none", *options, "busybox", "true")
            ours, theirs = described(kogge, "it"), described(docker, "it")
            for program in (kogge, docker):
                program.ok("rm", "-v", "it")
            assert ours == theirs, case
        for case in FAILING:
            options = [o.format(f=folder) for o in case]
            ours, theirs = (p("run", "--rm", "--network", "none", *options, "busybox", "true") for p in (kogge, docker))
            assert ours.code == theirs.code, f"{case}: {ours} {theirs}"
    finally:
        docker("rm", "-f", "it")
        docker("volume", "rm", "-f", "named", "labelled")
        docker("rmi", "-f", "busybox")
