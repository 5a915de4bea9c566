# SPDX-License-Identifier: Apache-2.0
"""prune with filters and --dry-run, df -v, and --platform."""
import json
import re

import pytest

pytestmark = pytest.mark.needs_root

FILTERS = [
    ("label=keep",), ("label=keep=1",), ("label!=keep",), ("label=keep", "label=more"), ("until=1h",),
    ("until=2015-01-01",), ("until=2100-01-01T00:00:00Z", "label=more"), ("label=absent",), ("what=1",), ("until=x",),
]
MAKE = [("one", ()), ("two", ("-l", "keep=1")), ("three", ("-l", "keep=2", "-l", "more"))]


def fill(program, tar):
    program.ok("import", tar, "busybox")
    program.ok("import", "-c", "LABEL keep=1", tar, "labelled")
    for name, options in MAKE:
        program.ok("create", "--name", name, "--network", "none", *options, "busybox", "true")


def names(program):
    return set(program.ok("ps", "-a", "--format", "{{.Names}}").split())


def with_filters(values):
    return [word for value in values for word in ("--filter", value)]


@pytest.mark.needs_docker
def test_container_prune_selects_what_docker_selects(kogge, docker, busybox_tar):
    try:
        fill(docker, busybox_tar)
        fill(kogge, busybox_tar)
        for values in FILTERS:
            results = []
            for program in (kogge, docker):
                code = program("container", "prune", "-f", *with_filters(values)).code
                results.append((code, names(program)))
                for name, options in MAKE:
                    if name not in results[-1][1]:
                        program.ok("create", "--name", name, "--network", "none", *options, "busybox", "true")
            assert results[0] == results[1], values
    finally:
        docker("rm", *(name for name, _ in MAKE))
        docker("rmi", "-f", "busybox", "labelled")


def test_a_dry_run_tells_what_the_real_one_then_does(kogge, busybox_tar):
    fill(kogge, busybox_tar)
    files = kogge.files()
    for args in (("container", "prune"), ("image", "prune", "-a"), ("system", "prune", "-a")):
        planned = kogge.ok(*args, "--dry-run")
        assert names(kogge) == {name for name, _ in MAKE} and kogge.files() == files, "nothing is removed, nothing asked"
        assert "Total reclaimable space: " in planned
    done = kogge.ok("system", "prune", "-a", "-f")
    digests = re.compile(r"\b[0-9a-f]{64}\b")
    assert digests.findall(planned) == digests.findall(done)
    assert planned.splitlines()[-1].split()[-1] == done.splitlines()[-1].split()[-1]
    assert names(kogge) == set() and kogge.ok("images", "-q") == ""


def test_system_prune_asks_and_keeps_what_filters_leave(kogge, busybox_tar):
    fill(kogge, busybox_tar)
    result = kogge("system", "prune", "--filter", "label=keep", input="n\n")
    assert "Items to be pruned will be filtered with:\n  - label=keep" in result.out and len(names(kogge)) == 3
    kogge.ok("system", "prune", "-af", "--filter", "label=keep")
    assert names(kogge) == {"one"}
    assert kogge.ok("images", "--format", "{{.Repository}}").split() == ["busybox"]
    kogge.fails(1, "system", "prune", "-f", "--filter", "dangling=true", saying="invalid filter 'dangling'")


def test_df_v_lists_images_and_containers(kogge, busybox_tar):
    fill(kogge, busybox_tar)
    out = kogge.ok("system", "df", "-v")
    for title in ("Images space usage:", "Containers space usage:", "Local Volumes space usage:", "Build cache usage: 0B"):
        assert title in out
    assert re.search(r"^busybox +latest +[0-9a-f]{12} .* 3$", out, re.M), out
    assert re.search(r"^labelled +latest +[0-9a-f]{12} .* 0$", out, re.M), out
    lists = json.loads(kogge.ok("system", "df", "-v", "--format", "json"))
    assert sorted(lists) == ["BuildCache", "Containers", "Images", "Volumes"] and len(lists["Containers"]) == 3
    sizes = kogge.ok("system", "df", "-v", "--format", "{{range .Containers}}{{.Names}}={{.Size}} {{end}}").split()
    assert sorted(sizes) == ["one=0B", "three=0B", "two=0B"]


def test_volumes_are_counted_and_pruned(box):
    box.ok("volume", "create", "named")
    box.ok("run", "--name", "cc", "-v", "named:/n", "-v", "/anon", "busybox", "sh", "-c", "echo 12345 > /n/f; echo 1 > /anon/f")
    assert re.search(r"^Local Volumes +2 +2 +8B +0B \(0%\)$", box.ok("system", "df"), re.M), box.ok("system", "df")
    assert re.search(r"^named +1 +6B$", box.ok("system", "df", "-v"), re.M)
    box.fails(1, "system", "prune", "--volumes", "-f", "--filter", "until=1h", saying="not supported with \"--volumes\"")
    planned = box.ok("system", "prune", "--volumes", "--dry-run")
    done = box.ok("system", "prune", "--volumes", "-f")
    assert sorted(re.findall(r"\b[0-9a-f]{64}\b", planned)) == sorted(re.findall(r"\b[0-9a-f]{64}\b", done))
    assert "Deleted Volumes:" in done and box.ok("volume", "ls", "-q") == "named\n"
    assert re.search(r"^Local Volumes +1 +0 +6B +6B \(100%\)$", box.ok("system", "df"), re.M)


def test_a_platform_that_the_image_has_not_is_refused(kogge, busybox_tar):
    kogge.ok("import", "--platform", "linux/arm64", busybox_tar, "arm:1")
    for verb in (("save",), ("history",), ("image", "inspect"), ("rmi",)):
        kogge.fails(1, *verb, "--platform", "linux/amd64", "arm:1",
                    saying="platform (linux/arm64) does not match the specified platform (linux/amd64)")
        kogge.fails(1, *verb, "--platform", "no/such/thing/at/all", "arm:1", saying="platform")
        kogge.ok(*verb, *(("-o", kogge.folder / "x.tar") if verb == ("save",) else ()), "--platform", "linux/arm64", "arm:1")
    assert kogge.ok("images", "-q") == ""


# "until" of `images` is newer than the daemon that Debian has.
IMAGE_FILTERS = [
    ("dangling=true",), ("dangling=false",), ("label=a",), ("label=a=1",), ("label=a=2",), ("label=a", "label=b"), ("reference=one",),
    ("reference=o*",), ("reference=*/*",), ("reference=reg.example.com/*/three",), ("reference=one", "reference=two*"),
    ("before=two",), ("since=two",), ("before=absent",), ("reference=one:1",), ("what=1",),
    ("dangling=maybe",), ("label!=a",),
]


@pytest.mark.needs_docker
def test_images_are_filtered_as_by_docker(kogge, docker, busybox_tar, scratch):
    made = ("one:1", "two:latest", "reg.example.com/x/three:3")
    changes = (("LABEL a=1",), ("LABEL a=1 b=2",), ("LABEL c=3",))
    docker.ok("image", "prune", "-af")  # of other tests
    try:
        for name, change in zip(made, changes):
            for program in (kogge, docker):
                program.ok("import", "-c", *change, busybox_tar, name)
        for program in (kogge, docker):
            program.ok("import", "-c", "LABEL a=nameless", busybox_tar)
        for values in IMAGE_FILTERS:
            results = []
            for program in (kogge, docker):
                result = program("images", "--format", "{{.Repository}}:{{.Tag}}", *with_filters(values))
                results.append((result.code, sorted(result.out.split())))
            assert results[0] == results[1], values
        for values in (("label=b",), ("label!=a",), ("until=1h",)):
            results = []
            for program in (kogge, docker):
                program.ok("image", "prune", "-af", *with_filters(values))
                results.append(sorted(program.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split()))
            assert results[0] == results[1], values
    finally:
        docker("rmi", "-f", *docker("images", "-q").out.split())
