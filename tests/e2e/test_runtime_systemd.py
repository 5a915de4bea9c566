# SPDX-License-Identifier: Apache-2.0
"""kogge-runtime --systemd-cgroup: the container's cgroup is a scope of systemd. systemd itself runs
on few of the machines that test this: harness/systemd.py takes its place on its socket."""
import pathlib

import pytest

from harness import program, systemd

pytestmark = pytest.mark.needs_root
RUNTIME = program.PROGRAMS / "kogge-runtime"
REAL = pathlib.Path("/run/systemd/private").exists()


@pytest.fixture
def manager():
    if not systemd.UNIFIED.is_dir():
        pytest.skip("no cgroup version 2")
    with systemd.Systemd() as found:
        yield found


def runtime(bundle, *args, **options):
    return program.run([RUNTIME, "--root", bundle.states, "--systemd-cgroup", *args], **options)


def run(bundle, *command, verb="run"):
    bundle.process["args"] = list(command)
    bundle.write()
    return runtime(bundle, verb, "--bundle", bundle.folder, bundle.id)


def test_a_container_is_a_scope(bundle, manager):
    bundle.config["linux"]["cgroupsPath"] = "kogge-test.slice:pre:box"
    bundle.config["linux"]["resources"] = {"pids": {"limit": 33}, "cpu": {"shares": 512}}
    result = run(bundle, "/bin/sh", "-c", "cat /proc/self/cgroup")
    assert result.code == 0, str(result)
    member, name, mode, properties = manager.calls[0]
    assert (member, name, mode) == ("StartTransientUnit", "pre-box.scope", "replace")
    assert properties["Slice"] == "kogge-test.slice" and properties["Delegate"] is True and properties["TasksMax"] == 33
    assert properties["DefaultDependencies"] is False and len(properties["PIDs"]) == 1
    assert [c[:2] for c in manager.calls[1:]] == [["StopUnit", "pre-box.scope"]]
    assert not manager.units["pre-box.scope"].exists()
    assert bundle.leftovers() == []


def test_verbs_find_the_scope_again(bundle, manager):
    bundle.config["linux"]["cgroupsPath"] = ""
    bundle.config["linux"]["resources"] = {}
    bundle.process["args"] = ["/bin/sleep", "1000"]
    bundle.write()
    with open(bundle.folder / "out", "wb") as out:
        assert program.subprocess.run([RUNTIME, "--root", bundle.states, "--systemd-cgroup", "create", "--bundle", bundle.folder,
                                       "--pid-file", bundle.folder / "pid", bundle.id],
                                      stdin=program.subprocess.DEVNULL, stdout=out, stderr=out, timeout=60).returncode == 0
    unit = f"kogge-{bundle.id}.scope"
    pid = (bundle.folder / "pid").read_text()
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    assert f"0::/system.slice/{unit}" in lines
    assert runtime(bundle, "start", bundle.id).code == 0
    result = runtime(bundle, "update", "--pids-limit", "44", bundle.id)
    assert result.code == 0, str(result)
    assert manager.calls[-1] == ["SetUnitProperties", unit, True, {"TasksMax": 44}]
    assert runtime(bundle, "exec", bundle.id, "/bin/true").code == 0
    assert runtime(bundle, "delete", "--force", bundle.id).code == 0
    assert manager.calls[-1] == ["StopUnit", unit]
    assert bundle.leftovers() == []


@pytest.mark.parametrize("path", ["/a/b", "a.slice:b", "a.slice:b:c:d", "nosuffix:b:c", "a--b.slice:b:c", "-a.slice:b:c", "a/b.slice:p:c",
                                  "a.slice:b:../c", "a.slice:b:"])
def test_names_that_systemd_has_not_are_refused(bundle, manager, path):
    bundle.config["linux"]["cgroupsPath"] = path
    result = run(bundle, "/bin/true")
    assert result.code == 1 and "linux.cgroupsPath" in result.err, str(result)
    assert manager.calls == [] and bundle.leftovers() == []


def test_a_job_that_fails_leaves_nothing(bundle):
    with systemd.Systemd(result="failed") as manager:
        bundle.config["linux"]["cgroupsPath"] = "system.slice:x:y"
        result = run(bundle, "/bin/true")
        assert result.code == 1 and "'failed'" in result.err, str(result)
        assert manager.calls[-1][:2] == ["StopUnit", "x-y.scope"]
    assert bundle.leftovers() == []


@pytest.mark.parametrize("point", ["runtime.create.after_scope", "runtime.create.after_plan"])
def test_F01_create_that_dies_leaves_what_delete_removes(bundle, manager, point):
    bundle.config["linux"]["cgroupsPath"] = ""
    bundle.process["args"] = ["/bin/true"]
    bundle.write()
    result = runtime(bundle, "create", "--bundle", bundle.folder, bundle.id, env={"KOGGE_FAILPOINTS": f"{point}=kill"})
    assert result.code == -9
    assert runtime(bundle, "delete", "--force", bundle.id).code == 0
    assert manager.calls[-1] == ["StopUnit", f"kogge-{bundle.id}.scope"]
    assert bundle.leftovers() == []


@pytest.mark.skipif(REAL, reason="systemd runs here")
def test_without_systemd_the_reason_is_told(bundle):
    bundle.config["linux"]["cgroupsPath"] = "a.slice:b:c"
    result = run(bundle, "/bin/true")
    assert result.code == 1 and "systemd is not running" in result.err, str(result)
    assert bundle.leftovers() == []
