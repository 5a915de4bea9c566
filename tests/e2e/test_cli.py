# SPDX-License-Identifier: Apache-2.0
"""The command line: flags, messages, exit codes and output beside Docker's."""
import json
import re
import shutil

import pytest

from harness import program

VERBS = ["run", "create", "start", "ps", "rm", "wait", "kill", "inspect", "image inspect", "images", "rmi", "tag",
         "history", "load", "save", "import", "info", "version", "image prune", "container prune", "system df",
         "system prune", "container ls", "cp", "commit", "diff", "export"]
WINDOWS = {"cpu-count", "cpu-percent", "io-maxbandwidth", "io-maxiops"}
WITHDRAWN = {"kubeconfig"}  # of Docker's clients before 23.0


def flags(prog, verb, **options):
    """name -> letter, of what `PROG VERB --help` lists."""
    text = program.run([prog, *verb.split(), "--help"], **options).out
    return {m[2]: m[1] for m in re.finditer(r"^  (?:-(\w), |    )--([\w-]+)[ \n]", text, re.M)}


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_of_docker_is_known(verb):
    docker = shutil.which("docker")
    kogge = program.PROGRAMS / "kogge"
    if not docker or not kogge.exists():
        pytest.skip("docker or kogge is missing")
    ours = flags(kogge, verb)
    theirs = {name: letter for name, letter in flags(docker, verb).items() if name not in WINDOWS | WITHDRAWN}
    assert {name: ours.get(name, "missing") for name in theirs} == theirs


def test_help_says_what_it_is_about(kogge):
    for args in (["--help"], ["help"], []):
        assert kogge.ok(*args).startswith("Usage:  kogge [OPTIONS] COMMAND\n")
    for args in (["help", "image", "ls"], ["image", "list", "--help"]):
        text = kogge.ok(*args)
        assert "Aliases:\n  kogge image ls, kogge image list, kogge images\n" in text
    assert kogge("help", "foo").err == "unknown help topic: foo\n"
    assert re.fullmatch(r"Kogge version [0-9.]+\n", kogge.ok("--version"))


@pytest.mark.parametrize("args, code, message", [
    (["run"], 1, "kogge: 'kogge run' requires at least 1 argument\n\n"
                 "Usage:  kogge run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nSee 'kogge run --help' for more information\n"),
    (["run", "--foo", "x"], 125, "unknown flag: --foo\n\nUsage:  kogge run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\n"
                                 "Run 'kogge run --help' for more information\n"),
    (["run", "-m"], 125, "flag needs an argument: 'm' in -m\n\n"),
    (["run", "--cpus=x", "y"], 125, "invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational number"),
    (["run", "--pid=x", "y"], 125, "kogge: --pid: invalid PID mode\n\nRun 'kogge run --help' for more information\n"),
    (["run", "--pull", "never", "nosuch"], 125, "kogge: no such image: nosuch"),
    (["run", "UPPER"], 125, "kogge: invalid reference format: repository name (library/UPPER) must be lowercase"),
    (["run", "--pull", "always", "127.0.0.1:1/x"], 125, "kogge: pulling 127.0.0.1:1/x:latest: 127.0.0.1:1: "),
    (["create", "--pull", "never", "nosuch"], 1, "kogge: no such image: nosuch"),
    (["ps", "x"], 1, "kogge: 'kogge ps' accepts no arguments\n\nUsage:  kogge ps [OPTIONS]\n"),
    (["images", "a", "b"], 1, "kogge: 'kogge images' requires at most 1 argument\n"),
    (["tag", "a"], 1, "kogge: 'kogge tag' requires 2 arguments\n"),
    (["rum"], 1, "kogge: unknown command: kogge rum\n\nDid you mean this?\n        kogge run\n"),
    (["image", "foo"], 1, "kogge: unknown command: kogge image foo\n"),
    (["exec", "x", "y"], 1, "kogge: no such container: x"),
    (["pull", "127.0.0.1:1/x"], 1, "kogge: pulling 127.0.0.1:1/x:latest: 127.0.0.1:1: "),
    (["image", "push", "x"], 1, "An image does not exist locally with the tag: x"),
    (["-H", "tcp://x", "ps"], 125, "--host is not supported yet"),
    (["ps", "--filter", "foo"], 125, "bad format of filter (expected name=value)"),
    (["ps", "--filter", "foo=bar"], 1, "kogge: invalid filter 'foo'\n"),
    (["images", "--filter", "dangling=maybe"], 1, "kogge: invalid filter 'dangling=[maybe]'\n"),
    (["images", "--format", "{{"], 1, "kogge: template parsing error: template: :1: unclosed action\n"),
    (["load", "-i", "/nonexistent"], 1, "no such file or directory"),
    (["load", "extra"], 1, "kogge: 'kogge load' accepts no arguments\n"),
    (["import", "/nonexistent"], 1, "no such file or directory"),
    (["save", "nosuch"], 1, "kogge: no such image: nosuch"),
    (["rmi", "nosuch"], 1, "kogge: no such image: nosuch"),
    (["tag", "nosuch", "a"], 1, "kogge: no such image: nosuch"),
    (["history", "nosuch"], 1, "kogge: no such image: nosuch"),
    (["inspect", "nosuch"], 1, "kogge: no such object: nosuch\n"),
    (["rm", "nosuch"], 1, "kogge: no such container: nosuch\n"),
    (["wait", "nosuch"], 1, "no such container: nosuch\n"),
    (["kill", "nosuch"], 1, "no such container: nosuch\n"),
    (["kill", "-s", "FOO", "x"], 1, "kogge: invalid signal: FOO\n"),
    # What Docker's client finds is usage (125), what its daemon finds is not.
    (["create", "--env-file", "/nonexistent", "x"], 125, "reading '/nonexistent': no such file or directory"),
    (["create", "--label-file", "/nonexistent", "x"], 125, "reading '/nonexistent': no such file or directory"),
    (["create", "--security-opt", "foo", "x"], 125, "invalid --security-opt: \"foo\""),
    (["create", "--pid", "foo", "x"], 125, "--pid: invalid PID mode"),
    (["create", "--memory-swappiness", "200", "x"], 125, "valid memory swappiness range is 0-100"),
    (["create", "--no-healthcheck", "--health-cmd", "x", "x"], 125, "--no-healthcheck conflicts with --health-* options"),
    (["create", "--restart", "on-failure:x", "x"], 125, "maximum retry count must be an integer"),
    (["create", "--restart", "foo", "x"], 1, "unknown policy 'foo'"),
    (["run", "--restart", "foo", "x"], 125, "unknown policy 'foo'"),
    (["create", "--cpuset-cpus", "8000", "x"], 1, "requested CPUs are not available: requested 8000, available: 0"),
    (["update", "--cpuset-mems", "8000", "x"], 1, "requested memory nodes are not available"),
    (["update", "--restart", "foo", "x"], 1, "unknown policy 'foo'"),
    (["exec", "--detach-keys", "foo", "x", "y"], 1, "unknown key 'foo'"),
    (["attach", "--detach-keys", "foo", "x"], 1, "unknown key 'foo'"),
    (["inspect", "--type", "foo", "x"], 1, "unknown type: \"foo\""),
    (["run", "-d", "-a", "stdout", "x"], 1, "cannot specify both --attach and --detach"),
])
def test_mistakes_are_told_and_leave_nothing(kogge, args, code, message):
    result = kogge(*args)
    assert message in result.err, str(result)
    assert result.code == code, str(result)
    assert kogge.ok("ps", "-aq") == "" and kogge.ok("images", "-q") == ""


def test_an_image_given_by_docker_looks_the_same(kogge, docker, busybox_tar, scratch):
    docker.ok("import", "-c", "CMD [\"/bin/sh\"]", "-c", "ENV A=1 B=2", "-c", "LABEL x=y b.c=d", "-c", "EXPOSE 80",
              "-m", "hello", busybox_tar, "same:1")
    docker.ok("tag", "same:1", "localhost:5000/foo/bar:v1")
    try:
        docker.ok("save", "-o", scratch / "d.tar", "same:1", "localhost:5000/foo/bar:v1")
        kogge.ok("load", "-i", scratch / "d.tar")
        # Other tests may have left images in this Docker.
        both = ["images", "--filter", "reference=same:*", "--filter", "reference=localhost:5000/foo/*"]
        for args in ([*both, "--format", "{{.ID}} {{.Repository}} {{.Tag}} {{.Size}} {{.CreatedAt}}"],
                     [*both, "-q", "--no-trunc"],
                     [*both, "--format", "table {{.ID}}\\t{{.Repository | upper}}\\t{{.Size}}"],
                     ["images", "same", "--format", "{{.Repository}}:{{.Tag}}"], ["images", "--filter", "reference=same:*", "-q"],
                     ["images", "--filter", "label=x=y", "-q"],
                     ["history", "--format", "{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}", "same:1"]):
            assert sorted(kogge.ok(*args).splitlines()) == sorted(docker.ok(*args).splitlines()), args
        for t in ("{{.Id}}", "{{.RepoTags}}", "{{json .RootFS}}", "{{.Os}}/{{.Architecture}}", "{{.Config.Env}}",
                  "{{json .Config.Labels}}", "{{index .Config.Labels \"b.c\"}}", "{{.Config.Labels.nothing}}",
                  "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "{{.Config.Cmd}}", "{{.Comment}}",
                  "{{.Size}}", "{{.Created}}", "{{json .Config.ExposedPorts}}", "{{len .RepoTags}}",
                  "{{with .Config}}{{join .Env \",\"}}{{end}}", "{{.Config.OnBuild}} {{.Config.Volumes}}"):
            assert kogge.ok("inspect", "-f", t, "same:1") == docker.ok("inspect", "-f", t, "same:1"), t
    finally:
        docker.ok("rmi", "-f", "same:1", "localhost:5000/foo/bar:v1")


def test_containers_are_listed_and_filtered(box):
    box.ok("run", "--name", "one", "-l", "a=b", "busybox", "true")
    assert box("run", "--name", "two", "busybox", "sh", "-c", "exit 3").code == 3
    box.ok("create", "--name", "three", "busybox", "echo", "a long command that is cut")
    assert box.ok("ps", "-q") == ""
    rows = [json.loads(line) for line in box.ok("ps", "-a", "--format", "json").splitlines()]
    assert [r["Names"] for r in rows] == ["three", "two", "one"]
    assert rows[0]["Command"] == "\"echo 'a long comma…\"" or rows[0]["Command"].endswith("…\"")
    assert rows[0]["State"] == "created" and rows[1]["Status"].startswith("Exited (3) ")
    for args, names in ((["-f", "name=t"], "three two"), (["-f", "exited=3"], "two"), (["-f", "label=a"], "one"),
                        (["-f", "label=a=c"], ""), (["-f", "status=created"], "three"), (["-n", "1"], "three"),
                        (["-l"], "three"), (["-f", "ancestor=busybox"], "three two one")):
        assert box.ok("ps", "-a", *args, "--format", "{{.Names}}").split() == names.split(), args
    assert box.ok("ps", "-a", "--format", "{{.Label \"a\"}}", "-f", "name=one") == "b\n"
    header, *lines = box.ok("ps", "-a").splitlines()
    assert re.split(r" {3,}", header.strip()) == ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS",
                                                  "NAMES"]
    assert all(line[header.index("NAMES"):] in ("one", "two", "three") for line in lines)
    assert box.ok("wait", "two") == "3\n"
    text = box.ok("container", "prune", "-f")
    assert text.startswith("Deleted Containers:\n") and "Total reclaimed space: " in text
    assert box.ok("ps", "-aq") == ""


def test_environment_and_labels_come_from_files(box, scratch):
    (scratch / "env").write_text("# comment\n\n  A=1\nB=x y\nFROM_CALLER\nUNSET_ANYWHERE\n")
    (scratch / "labels").write_text("k=v\n")
    out = box.ok("run", "--rm", "--env-file", scratch / "env", "-e", "C=3", "-e", "B=z", "busybox", "env",
                 env={"FROM_CALLER": "yes"})
    assert {"A=1", "B=z", "C=3", "FROM_CALLER=yes"} <= set(out.splitlines())
    assert "UNSET_ANYWHERE" not in out
    box.ok("create", "--name", "labelled", "--label-file", scratch / "labels", "-l", "x", "busybox", "true")
    assert box.ok("inspect", "-f", "{{json .Config.Labels}}", "labelled") in ('{"k":"v","x":""}\n',)
    box.ok("rm", "labelled")


def test_cidfile_holds_the_identifier(box, scratch):
    box.ok("run", "--cidfile", scratch / "id", "--name", "cid", "busybox", "true")
    assert (scratch / "id").read_text() == box.ok("inspect", "-f", "{{.Id}}", "cid").strip()
    result = box("run", "--cidfile", scratch / "id", "busybox", "true")
    assert result.code == 125 and "container ID file found" in result.err
    assert box("run", "--pull", "never", "--cidfile", scratch / "other", "nosuch").code == 125
    assert not (scratch / "other").exists()
    box.ok("rm", "cid")


def test_a_failed_save_leaves_no_file(box, scratch):
    assert box("save", "-o", scratch / "x.tar", "busybox", "nosuch").code == 1
    assert not (scratch / "x.tar").exists()
    assert box("save", "-o", scratch / "no" / "x.tar", "busybox").code == 1


def test_what_nothing_uses_is_pruned(box):
    box.ok("tag", "busybox", "other")
    assert "Total reclaimed space: 0B" in box.ok("image", "prune", "-f")
    for what in ("image", "container", "volume", "network", "builder", "system"):
        assert box(what, "prune", input="n\n").code == 0, f"{what} prune that is not wanted ends as Docker's does"
    text = box.ok("system", "prune", "-a", input="y\n")
    assert "Are you sure you want to continue? [y/N] Deleted Images:\n" in text
    assert "untagged: busybox:latest\n" in text and "deleted: sha256:" in text
    assert box.ok("images", "-q") == ""
    assert " 0 damaged, 0 unused" in box.ok("system", "check")


def test_info_and_version_take_templates(box):
    assert box.ok("info", "-f", "{{.Driver}} {{.OSType}} {{.Images}}").split()[1:] == ["linux", "1"]
    assert box.ok("version", "-f", "{{.Client.Version}}") == box.ok("version", "-f", "{{.Server.Version}}")
    assert json.loads(box.ok("info", "--format", "json"))["ContainersRunning"] == 0
    lines = box.ok("system", "df").splitlines()
    assert [line.split()[0] for line in lines] == ["TYPE", "Images", "Containers", "Local", "Build"]
    assert re.match(r"Images +1 +0 +\S+ +\S+ \(100%\)", lines[1])
    assert "Images space usage:" in box.ok("system", "df", "-v")


def test_manual_pages_and_help_agree(kogge):
    paths = [line.split() for line in kogge.ok("__man").splitlines()]
    assert ["kogge"] in paths and ["kogge", "image", "ls"] in paths and ["kogge", "swarm"] not in paths
    for path in paths:
        page = kogge.ok("__man", *path)
        text = kogge.ok(*path[1:], "--help")
        in_help = set(re.findall(r"^  (?:-\w, |    )--([\w-]+)", text, re.M))
        in_page = set(re.findall(r"^\\fB(?:\\-\w, )?\\-\\-([\w\\-]+)\\fR", page, re.M))
        assert {name.replace("\\", "") for name in in_page} == in_help, path
        assert page.startswith(".TH KOGGE")
