# SPDX-License-Identifier: Apache-2.0
"""Attacks by paths: links and races where kogge-runtime makes, opens and mounts things below a
root file system that somebody else controls. Each in every way to start a container
(harness/targets.py); the host is compared around each test (conftest.py)."""
import contextlib
import os
import subprocess

import pytest

pytestmark = pytest.mark.needs_root

ROUNDS = 25


def hostile_link(target, name, to):
    """Replaces NAME of the root file system by a link."""
    path = target.rootfs / name
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif path.exists() or path.is_symlink():
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(to)


def without_mount(target, *destinations):
    mounts = target.config["mounts"]
    target.config["mounts"] = [m for m in mounts if not m["destination"].startswith(destinations)]


@contextlib.contextmanager
def exchanging(attack, one, other):
    """Exchanges two names without a pause, as a container that shares the folder would."""
    racer = subprocess.Popen([attack, "swap", one, other, "120"])
    try:
        yield
    finally:
        racer.kill()
        racer.wait()


# ---- E01 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "/../../..", "/../../../etc"])
def test_E01_working_directory_never_leaves_the_container(target, suffix):
    (target.rootfs / "inside").write_text("")
    for number in range(3, 30, 1 if target.mode == "root" else 5):
        hostile_link(target, "link", f"/proc/self/fd/{number}{suffix}")
        for cwd in (f"/proc/self/fd/{number}{suffix}", "/link", "/link/../.."):
            target.process["cwd"] = cwd
            result = target.sh("ls -d /proc/self/cwd/inside /inside; cat ../../../../../../etc/hostname")
            # Inside is fine as well: a name that is made below the root.
            assert result.code != 0 or "inside" in result.out, str(result)
            assert open("/etc/hostname").read() not in result.out or not open("/etc/hostname").read()


def test_E01_working_directory_of_exec(target):
    target.start("/bin/sleep", "100")
    for number in range(3, 30, 1 if target.mode == "root" else 5):
        for suffix in ("", "/../../.."):
            result = target.exec("/bin/sh", "-c", "pwd; ls /proc/self/cwd/..", options=["--cwd", f"/proc/self/fd/{number}{suffix}"])
            assert result.code != 0 or "lost+found" not in result.out, str(result)


# ---- E05, E06, E10, E11 ------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["/proc/sys/kernel/core_pattern", "{canary}/file", "../../../../{canary}/file", "zero"])
def test_E05_null_device_that_is_a_link_masks_nothing(target, canary, to):
    without_mount(target, "/dev")
    hostile_link(target, "dev/null", to.format(canary=canary))
    target.config["linux"]["maskedPaths"] = ["/proc/keys", "/proc/timer_list"]
    result = target.sh("echo started; cat /proc/keys; echo x > /proc/keys; cat /proc/timer_list")
    assert "started" not in result.out or "canary" not in result.out, str(result)
    assert result.code != 0 and "null" in result.err, str(result)


def test_E05_null_device_that_is_a_file_or_another_device_masks_nothing(target):
    without_mount(target, "/dev")
    (target.rootfs / "dev/null").write_text("not a device")
    target.config["linux"]["maskedPaths"] = ["/proc/keys"]
    result = target.sh("cat /proc/keys; stat -c %t:%T /dev/null; echo started")
    if target.userns:  # the host's device is bound over the file
        assert (result.code, result.out) == (0, "1:3\nstarted\n"), str(result)
    else:
        assert result.code != 0 and "started" not in result.out, str(result)


@pytest.mark.parametrize("name, to", [("dev/console", "{canary}/file"), ("dev/console", "../../../{canary}/file"),
                                      ("dev/console", "/proc/sys/kernel/core_pattern"), ("dev/pts", "{canary}/empty"),
                                      ("dev/ptmx", "{canary}/file"), ("dev/shm", "{canary}/empty"),
                                      ("dev/mqueue", "../../../../../{canary}/empty")])
def test_E06_links_in_dev_lead_nowhere(target, canary, name, to):
    # /dev of the image, so that its links are met
    without_mount(target, "/dev/")
    target.config["mounts"] = [m for m in target.config["mounts"] if m["destination"] != "/dev"]
    for kind, folder in (("devpts", "/dev/pts"), ("tmpfs", "/dev/shm"), ("mqueue", "/dev/mqueue")):
        options = ["newinstance", "ptmxmode=0666", "mode=0620"] if kind == "devpts" else []
        target.config["mounts"].append({"destination": folder, "type": kind, "source": kind, "options": options})
    hostile_link(target, name, to.format(canary=canary))
    # Inside the root a folder of the same name may be made: there a mount is harmless.
    result = target.sh(f"cat {canary}/file {canary}/secret; grep core_pattern /proc/self/mountinfo; echo /dev/*")
    assert "canary\n" not in result.out and "only for" not in result.out, str(result)
    assert " - " not in result.out, str(result)


@pytest.mark.parametrize("made", ["folder", "link"])
def test_E10_dev_that_is_a_link_is_not_filled_outside(target, scratch, made):
    outside = scratch / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    (outside / "ptmx").write_text("mine")
    without_mount(target, "/dev")
    hostile_link(target, "dev", outside if made == "folder" else f"../../../../../../../{outside}")
    target.sh("true")
    assert [p.name for p in outside.iterdir()] == ["ptmx"] and (outside / "ptmx").read_text() == "mine"


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("to", ["tmp", "/tmp", "..", "/proc/self/root", "{canary}/empty"])
def test_E11_proc_and_sys_must_be_ordinary_folders(target, canary, name, to):
    if name == "sys" and target.rootless:
        pytest.skip("/sys is bound for an ordinary user")
    hostile_link(target, name, to.format(canary=canary))
    result = target.sh("echo started")
    assert result.code != 0 and "ordinary directory" in result.err and "started" not in result.out, str(result)


# ---- E07, E12 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("destination", ["/proc", "/proc/self", "//proc//", "/proc/sys/kernel", "/proc/self/attr",
                                         "/proc/sysrq-trigger", "/x/../proc/self", "/proc/./sys"])
def test_E12_volumes_over_proc_are_refused(target, canary, destination):
    target.bind(canary, destination)
    result = target.sh("echo started")
    assert result.code != 0 and "started" not in result.out, str(result)


@pytest.mark.parametrize("to, what", [("/proc/sys/kernel", "folder"), ("/proc/self/attr", "folder"),
                                      ("proc/self", "folder"), ("/proc", "folder"), ("/proc/sysrq-trigger", "file"),
                                      ("/proc/sys/kernel/domainname", "file"), ("/proc/self/attr/exec", "file")])
def test_E07_E12_volumes_over_proc_by_a_link_of_the_image_are_refused(target, canary, to, what):
    """The destination's text is harmless; what it leads to inside the root is not: the writes of
    labels and sysctls would go into the volume (CVE-2025-52881)."""
    hostile_link(target, "data", to)
    source = canary / "empty" if what == "folder" else canary / "file"
    target.bind(source, "/data")
    target.config["linux"]["sysctl"] = {"kernel.domainname": "hostile"}
    result = target.sh("echo started")
    assert result.code != 0 and "started" not in result.out, str(result)


def test_E12_file_systems_over_proc_by_a_link_are_refused(target):
    hostile_link(target, "data", "/proc/self")
    target.config["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "tmpfs"})
    result = target.sh("echo started")
    assert result.code != 0 and "started" not in result.out, str(result)


# ---- E08, E09 ----------------------------------------------------------------------------------


@pytest.fixture
def volume(target, scratch, canary):
    """A folder that a hostile container shares, with a folder and a link out in it, and what lies
    outside."""
    top, outside = scratch / "volume", scratch / "outside"
    for folder in (top, top / "dir", outside):
        folder.mkdir()
        folder.chmod(0o777)
    (top / "dir/file").write_text("")
    (outside / "target").mkdir()
    (outside / "file").write_text("outside\n")
    (top / "link").symlink_to(f"../../../../../../../..{outside}")
    return top, outside


def race(target, attack, volume, script):
    """Starts containers while their mount's way is exchanged; what each said."""
    top, _ = volume
    rounds = ROUNDS if target.mode in ("root", "old") else ROUNDS // 2
    with exchanging(attack, top / "dir", top / "link"):
        return [target.sh(script) for _ in range(rounds)]


def test_E08_mounts_do_not_follow_an_exchanged_destination(target, attack, volume, canary):
    top, outside = volume
    target.bind(top, "/v", "rbind", "rw")
    target.config["mounts"].append({"destination": "/v/dir/target", "type": "tmpfs", "source": "tmpfs",
                                    "options": ["size=64k"]})
    results = race(target, attack, volume, f"echo started; cat /proc/self/mountinfo; cat {outside}/file")
    for result in results:
        # Inside the root it may lie where the link pointed, never on the host's file of that name.
        assert "outside\n" not in result.out, str(result)
        # A lost race is an error that names the mount, not a crash
        assert result.code >= 0 and (result.code == 0 or "/v/dir" in result.err or "outside" in result.err), str(result)
    assert sorted(p.name for p in outside.iterdir()) == ["file", "target"]
    assert any(r.code == 0 or "started" in r.out for r in results)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_E09_what_a_mount_point_lacks_is_never_made_outside(target, attack, volume, canary, kind):
    top, outside = volume
    target.bind(top, "/v", "rbind", "rw")
    source = canary / "empty" if kind == "folder" else canary / "file"
    for i in range(4):
        target.bind(source, f"/v/dir/new{i}/deeper/x")
    race(target, attack, volume, "true")
    assert sorted(p.name for p in outside.iterdir()) == ["file", "target"]
    assert list((outside / "target").iterdir()) == []


def test_E09_working_directory_and_devices_are_never_made_outside(target, attack, volume):
    top, outside = volume
    target.bind(top, "/v", "rbind", "rw")
    target.process["cwd"] = "/v/dir/new/cwd"
    if not target.userns:
        target.config["linux"]["devices"] = [{"path": "/v/dir/newdev/null", "type": "c", "major": 1, "minor": 3}]
    race(target, attack, volume, "true")
    assert sorted(p.name for p in outside.iterdir()) == ["file", "target"]


# ---- E13 ---------------------------------------------------------------------------------------


def test_E13_many_and_long_sources_are_mounted_or_refused(target, scratch):
    deep = scratch
    for _ in range(12):
        deep = deep / ("d" * 200)
    deep.mkdir(parents=True)
    for i in range(60):
        target.bind(deep, f"/many/{i}")
    result = target.sh("mount | grep -c /many/")
    assert (result.code == 0 and result.out == "60\n") or (result.code > 0 and "mounting" in result.err), str(result)


@pytest.mark.parametrize("count", [341, 2000])
def test_E13_too_many_identity_ranges_are_refused(target, count):
    ids = [{"containerID": i * 2, "hostID": 200000 + i * 2, "size": 1} for i in range(count)]
    target.config["linux"].update(uidMappings=ids, gidMappings=ids)
    names = [n["type"] for n in target.config["linux"]["namespaces"]]
    if "user" not in names:
        target.config["linux"]["namespaces"].append({"type": "user"})
    result = target.sh("echo started")
    assert result.code != 0 and "started" not in result.out, str(result)


def test_E13_descriptors_run_out_cleanly(target, canary):
    for i in range(1100):
        target.bind(canary / "empty", f"/m{i}")
    result = target.sh("echo started")
    assert result.code >= 0 and (result.code or "started" in result.out), str(result)
    assert target.leftovers() == []


@pytest.mark.parametrize("size", [1 << 16, 17 << 20])
def test_E13_long_strings_are_errors_or_work(target, size):
    target.config["annotations"] = {"a": "x" * size}
    target.process["env"].append("LONG=" + "y" * min(size, 100000))
    result = target.sh("echo $LONG | wc -c")
    assert (result.code, result.out.strip()) == (0, str(min(size, 100000) + 1)) or \
        (result.code > 0 and size > 16 << 20 and "config.json" in result.err), str(result)


# ---- E36 ---------------------------------------------------------------------------------------


def mount_table(pid):
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as f:
        return sorted(line.split(" ", 2)[2] for line in f)


@pytest.fixture
def private_folder(scratch):
    """A folder that the host shares with nobody: what shares it has no peer here."""
    folder = scratch / "private"
    (folder / "empty").mkdir(parents=True)
    (folder / "empty").chmod(0o777)
    subprocess.run(["mount", "--bind", "--make-private", folder, folder], check=True)
    yield folder
    subprocess.run(["umount", "-R", folder], check=True)


def test_E36_no_mount_stays_on_the_host(target, private_folder):
    ours = mount_table("self")
    target.bind(private_folder, "/data", "rbind", "rshared")
    target.allow("CAP_SYS_ADMIN")
    for i in range(15):
        result = target.sh("mkdir -p /tmp/m; mount -t tmpfs none /tmp/m; mount -t tmpfs none /data/empty; exit 3")
        assert result.code == 3, str(result)
    assert mount_table("self") == ours
    assert os.listdir(private_folder / "empty") == []


@pytest.fixture
def shared_dev():
    """/dev as systemd makes it: shared."""
    found = subprocess.run(["findmnt", "-no", "PROPAGATION", "/dev"], capture_output=True, text=True, check=True)
    subprocess.run(["mount", "--make-shared", "/dev"], check=True)
    yield
    if found.stdout.strip() == "private":
        subprocess.run(["mount", "--make-private", "/dev"], check=True)


def test_E36_devices_of_a_user_namespace_are_no_way_into_a_shared_dev(target, shared_dev):
    """A link of the image puts the second device on top of the first: on a clone that is a peer of
    the host's /dev that mount would appear there."""
    without_mount(target, "/dev")
    hostile_link(target, "dev/null", "zero")
    target.sh("echo started")
    assert os.stat("/dev/null").st_rdev == os.makedev(1, 3)
    assert not [line for line in mount_table("self") if " /dev/null " in line]


def test_E36_a_created_container_is_not_seen_in_the_hosts_table(target):
    ours = mount_table("self")
    assert target.create("/bin/sleep", "100") == 0, target.out
    assert mount_table("self") == ours
