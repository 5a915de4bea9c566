# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests.

    kogge          `kogge` with an empty store of its own (harness/program.py: Kogge)
    box            the same with the image `busybox` in it
    debian_kogge   the same with the image `debian`; skipped where it cannot be made
    bundle         a bundle of busybox with runc's default configuration (harness/bundle.py: Bundle)
    target         a bundle to attack, once in each way to start it (harness/targets.py: Target)
    attack         the program of harness/attack.c
    runtime        runs kogge-runtime: runtime("--root", ..., "run", ...)
    busybox_tar, debian_tar   root file systems as tar files; tree_tar: busybox with a folder /tree to change
    scratch        an empty folder on disk (not tmpfs), removed afterwards
    canary         a folder on the host that hostile input aims at
    docker         a running dockerd of its own
    registry       a running kogge-registry of its own (harness/registry.py: Registry)

Every test runs between two snapshots of the host (harness/host.py) and fails when they differ."""
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import bundle as bundles  # noqa: E402
from harness import docker as docker_harness  # noqa: E402
from harness import host, images, program, shard, targets  # noqa: E402
from harness import registry as registries  # noqa: E402

QUICK = bool(os.environ.get("KOGGE_TEST_QUICK"))
PEERS = {"docker", "docker_kogge", "containerd_daemon", "podman_home"}


SHARD = None


def pytest_configure(config):
    global SHARD
    host.isolate()
    if os.environ.get("KOGGE_TEST_SHARD"):
        SHARD = shard.Shard(os.environ.pop("KOGGE_TEST_SHARD"))
    if program.SANITIZED:
        os.environ.update(images.sanitized_environment())


def pytest_unconfigure(config):
    if SHARD:
        SHARD.leave()


def pytest_runtestloop(session):
    """As pytest's own, over the tests that this process takes."""
    if not SHARD or session.config.option.collectonly or session.testsfailed:
        return None
    for item, following in SHARD.items(session.items):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
    return True


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("needs_root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        if item.get_closest_marker("slow") and QUICK:
            item.add_marker(pytest.mark.skip(reason="slow, and KOGGE_TEST_QUICK is set"))
        if program.SANITIZED and PEERS & set(item.fixturenames):
            item.add_marker(pytest.mark.skip(reason="beside other programs it is tested without sanitizers"))


def remove_tree(path):
    """Removes a tree of any depth, as tests with hostile names make them."""
    subprocess.run(["chattr", "-R", "-f", "-i", path], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", "--one-file-system", path], check=False)


@pytest.fixture(scope="session")
def session_folder():
    """A folder on disk for the whole session: /var/tmp is one on every Debian."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kogge-e2e-", dir=os.environ.get("KOGGE_TEST_DIR", "/var/tmp")))
    folder.chmod(0o755)
    yield folder
    remove_tree(folder)


@pytest.fixture
def scratch(session_folder):
    folder = pathlib.Path(tempfile.mkdtemp(dir=session_folder))
    folder.chmod(0o755)
    yield folder
    remove_tree(folder)


@pytest.fixture(scope="session")
def canary(session_folder):
    """Files on the host with contents, modes and links that every test must leave alone."""
    folder = session_folder / "canary"
    folder.mkdir(mode=0o755)
    (folder / "file").write_text("canary\n")
    (folder / "secret").write_text("only for the host\n")
    (folder / "secret").chmod(0o400)
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("file")
    return folder


@pytest.fixture(scope="session")
def watched_files(canary):
    """The canary's entries and our own programs."""
    programs = [p for p in program.PROGRAMS.glob("kogge*") if p.is_file()]
    return [canary, *canary.iterdir(), *programs]


@pytest.fixture(autouse=True)
def host_unchanged(request, watched_files):
    """The harness rule. `docker` and other session fixtures are made before the first snapshot."""
    for name in ("docker",):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    before = host.Snapshot(watched_files)
    yield
    allowed = {word for mark in request.node.iter_markers("leaves") for word in mark.args}
    found = [d for d in host.Snapshot(watched_files).differences(before) if d.split(":")[0] not in allowed]
    assert not found, "the test changed the host:\n" + "\n".join(found)


def need_kogge():
    if not (program.PROGRAMS / "kogge").exists():
        pytest.skip("kogge is not built")
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def kogge(scratch, host_unchanged):
    need_kogge()
    return program.Kogge(scratch)


@pytest.fixture
def runtime(host_unchanged):
    path = program.PROGRAMS / "kogge-runtime"
    if not path.exists():
        pytest.skip("kogge-runtime is not built")
    return lambda *args, **options: program.run([path, *args], **options)


@pytest.fixture(scope="session")
def busybox_tar(session_folder):
    if not os.path.exists(images.BUSYBOX):
        pytest.skip("busybox-static is not installed")
    return images.busybox(session_folder / "busybox.tar")


@pytest.fixture(scope="session")
def tree_tar(session_folder, busybox_tar):
    """busybox with a tree to change."""
    path = session_folder / "tree.tar"
    path.write_bytes(busybox_tar.read_bytes())
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as tar:
        for name, kind in (("tree", "d"), ("tree/a", "f"), ("tree/sub", "d"), ("tree/sub/one", "f"),
                           ("tree/sub/deep", "d"), ("tree/sub/deep/two", "f")):
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = 0o755, 1000000000
            info.type = tarfile.DIRTYPE if kind == "d" else tarfile.REGTYPE
            info.size = 3 if kind == "f" else 0
            tar.addfile(info, io.BytesIO(b"abc"))
    return path


@pytest.fixture(scope="session")
def debian_tar():
    path, reason = images.debian()
    if not path:
        pytest.skip(reason)
    return path


@pytest.fixture
def bundle(runtime, scratch, busybox_tar):
    made = bundles.Bundle(scratch, busybox_tar)
    yield made
    made.delete()
    assert made.leftovers() == []


@pytest.fixture(scope="session")
def attack(session_folder):
    path, reason = targets.build_attack(session_folder)
    if not path:
        pytest.skip(reason)
    return path


# The ways differ in what the kernel is asked for. With sanitizers, where all takes three times as
# long, the two that have the least in common do.
@pytest.fixture(params=["root", "old-rootless"] if program.SANITIZED else targets.MODES)
def target(request, runtime, scratch, busybox_tar, attack):
    reason = targets.missing(request.param)
    if reason:
        pytest.skip(reason)
    made = targets.Target(request.param, scratch, busybox_tar, attack)
    yield made
    made.delete()
    assert made.leftovers() == []


@pytest.fixture
def box(kogge, busybox_tar):
    kogge.ok("import", busybox_tar, "busybox")
    return kogge


@pytest.fixture(scope="session")
def debian_store(session_folder, debian_tar):
    """One store with a Debian in it for the whole session; it is copied nowhere, so tests that
    use it remove what they make."""
    need_kogge()
    store = program.Kogge(session_folder / "debian-store")
    store.folder.mkdir()
    store.ok("import", debian_tar, "debian", timeout=300)
    return store


@pytest.fixture
def debian_kogge(debian_store, host_unchanged):
    yield debian_store
    assert debian_store.ok("ps", "-aq") == "", "the test left containers"


@pytest.fixture(scope="session")
def docker(session_folder):
    reason = docker_harness.missing()
    if reason:
        pytest.skip(reason)
    folder = session_folder / "docker"
    folder.mkdir()
    daemon = docker_harness.Docker(folder)
    try:
        daemon.wait()
    except RuntimeError as e:
        pytest.skip(str(e))
    yield daemon
    daemon.stop()


@pytest.fixture
def make_registry(scratch):
    """make_registry(ARGUMENT...) starts a kogge-registry; the first one has the folder to itself."""
    made = []

    def make(*arguments, **options):
        if not (program.PROGRAMS / "kogge-registry").exists():
            pytest.skip("kogge-registry is not built")
        folder = scratch / f"registry-{len(made)}"
        folder.mkdir()
        made.append(registries.Registry(folder, *arguments, **options))
        return made[-1].start()
    yield make
    for one in made:
        one.stop()


@pytest.fixture
def registry(make_registry):
    return make_registry()


@pytest.fixture
def need_tool():
    """need_tool("skopeo") skips the test where a program is not installed."""
    def need(name):
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")
        return name
    return need
