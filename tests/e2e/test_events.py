# SPDX-License-Identifier: Apache-2.0
"""events: what is told, when, to whom, and in which form."""
import json
import re
import select
import subprocess
import time

import pytest

pytestmark = pytest.mark.needs_root

STOPS = ("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done")


@pytest.fixture
def clean(box):
    yield box
    names = box.ok("ps", "-aq").split()
    if names:
        box.ok("rm", "-f", *names)


def past(kogge, *args):
    """The events up to now, as objects."""
    out = kogge.ok("events", "--since", "1h", "--until", str(time.time()), "--format", "json", *args)
    return [json.loads(line) for line in out.splitlines()]


def actions(kogge, *args):
    return [e["Action"].strip() for e in past(kogge, *args)]


# -- what is told ---------------------------------------------------------------------------------

def test_a_containers_life_is_told_in_order(clean):
    clean("run", "--rm", "--name", "one", "--label", "a=b", "busybox", "sh", "-c", "exit 3")
    found = past(clean, "-f", "container=one")
    assert [e["Action"] for e in found] == ["create", "attach", "start", "die", "destroy"]
    for e in found:
        attributes = e["Actor"]["Attributes"]
        assert (e["Type"], e["scope"], e["id"], e["from"]) == ("container", "local", e["Actor"]["ID"], "busybox")
        assert (attributes["name"], attributes["image"], attributes["a"]) == ("one", "busybox", "b")
        assert e["time"] == e["timeNano"] // 10**9 and len(e["id"]) == 64 and e["status"] == e["Action"]
    assert found[3]["Actor"]["Attributes"]["exitCode"] == "3"
    assert [e["timeNano"] for e in found] == sorted(e["timeNano"] for e in found)


def test_every_verb_tells(clean):
    clean.ok("create", "--name", "one", "busybox", *STOPS)
    clean.ok("start", "one")
    assert clean("exec", "one", "sh", "-c", "exit 4").code == 4
    for verb in (("pause", "one"), ("unpause", "one"), ("top", "one"), ("kill", "-s", "WINCH", "one"), ("update", "-m", "64m", "one"),
                 ("rename", "one", "two"), ("restart", "two"), ("stop", "two"), ("rm", "two")):
        clean.ok(*verb)
    found = past(clean, "-f", "type=container")
    assert [e["Action"] for e in found] == [
        "create", "start", "exec_create: sh -c exit 4", "exec_start: sh -c exit 4", "exec_die", "pause", "unpause", "top",
        "kill", "update", "rename", "kill", "die", "stop", "start", "restart", "kill", "die", "stop", "destroy"]
    by_action = {e["Action"]: e["Actor"]["Attributes"] for e in found}
    assert by_action["exec_die"]["exitCode"] == "4"
    assert len({e["Actor"]["Attributes"]["execID"] for e in found if e["Action"].startswith("exec")}) == 1
    assert by_action["rename"]["oldName"] == "/one" and by_action["rename"]["name"] == "two"
    assert [e["Actor"]["Attributes"]["signal"] for e in found if e["Action"] == "kill"] == ["28", "15", "15"]
    assert by_action["die"]["exitCode"] == "5"


def test_images_tell(clean, scratch):
    id_ = json.loads(clean.ok("image", "inspect", "busybox"))[0]["Id"]
    clean.ok("tag", "busybox", "other:v1")
    clean.ok("save", "-o", scratch / "tar", "busybox")
    clean.ok("rmi", "other:v1")
    clean.ok("rmi", "busybox")
    clean.ok("load", "-i", scratch / "tar")
    clean.ok("image", "prune", "-f")
    found = past(clean, "-f", "type=image")
    assert [e["Action"] for e in found] == ["tag", "import", "tag", "save", "untag", "untag", "delete", "load", "prune"]
    assert {e["Actor"]["ID"] for e in found} == {id_, ""}
    assert found[2]["Actor"]["Attributes"]["name"] == "other:v1" and "reclaimed" in found[-1]["Actor"]["Attributes"]


def test_a_failed_start_tells_no_start(clean):
    clean("run", "--rm", "--name", "one", "busybox", "nosuch")
    assert "start" not in actions(clean, "-f", "container=one")
    assert actions(clean, "-f", "container=one")[-1] == "destroy"


# -- who asks -------------------------------------------------------------------------------------

def test_filters(clean):
    clean("run", "--rm", "--name", "one", "--label", "a=b", "busybox", "true")
    clean.ok("create", "--name", "two", "busybox", "true")
    id_ = clean.inspect("two")["Id"]
    assert set(actions(clean, "-f", "type=image")) == {"tag", "import"}
    assert actions(clean, "-f", "event=create") == ["create", "create"]
    assert actions(clean, "-f", "event=create", "-f", "event=die", "-f", "container=one") == ["create", "die"]
    assert actions(clean, "-f", f"container={id_[:12]}") == ["create"], "a prefix of an ID"
    assert actions(clean, "-f", "label=a", "-f", "event=start") == ["start"] and actions(clean, "-f", "label=a=c") == []
    assert len(actions(clean, "-f", "image=busybox")) == 7 and actions(clean, "-f", "image=nosuch") == []
    assert actions(clean, "-f", "scope=swarm") == [] and actions(clean, "-f", "volume=x") == []
    clean.fails(1, "events", "-f", "bogus=1", saying="invalid filter 'bogus'")
    clean.fails(1, "events", "--since", "bogus", saying="failed to parse value as time or duration")
    clean.fails(1, "events", "--since", "5s", "--until", "10s", saying="cannot be after `until`")


def test_since_and_until_bound_what_is_shown(clean):
    clean("run", "--rm", "busybox", "true")
    middle = str(time.time())
    clean("run", "--rm", "busybox", "true")
    assert actions(clean).count("start") == 2
    out = clean.ok("events", "--since", middle, "--until", str(time.time()), "--format", "{{.Action}}")
    assert out.split().count("start") == 1
    out = clean.ok("events", "--since", "1h", "--until", middle, "--format", "{{.Action}}")
    assert out.split().count("start") == 1


def test_lines_look_like_dockers(clean):
    clean("run", "--rm", "--name", "one", "--label", "z=1", "busybox", "true")
    line = clean.ok("events", "--since", "1h", "--until", str(time.time()), "-f", "event=die").strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) container die [0-9a-f]{64} "
                        r"\(execDuration=0, exitCode=0, image=busybox, name=one, z=1\)", line), line
    out = clean.ok("events", "--since", "1h", "--until", str(time.time()), "-f", "event=die", "--format",
                   "{{.Type}} {{.Actor.Attributes.name}} {{.Status}} {{.From}}")
    assert out == "container one die busybox\n"
    clean.fails((1, 64), "events", "--format", "{{", saying="template")


# -- live -----------------------------------------------------------------------------------------

class Watcher:
    """`kogge events` that runs, and sees everything from the start of the test on."""

    def __init__(self, kogge, *args):
        self.process = kogge.popen("events", "--since", "1h", "--format", "{{.Action}}", *args, stdout=subprocess.PIPE, bufsize=0)

    def next(self, seconds=20):
        assert select.select([self.process.stdout], [], [], seconds)[0], "no event"
        return self.process.stdout.readline().decode().strip()

    def end(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


def test_events_come_as_they_happen(clean):
    w = Watcher(clean, "-f", "type=container")
    clean.ok("create", "--name", "one", "busybox", *STOPS)
    assert w.next() == "create"
    clean.ok("start", "one")
    assert w.next() == "start"
    clean.ok("rm", "-f", "one")
    assert [w.next() for _ in range(3)] == ["kill", "die", "destroy"]
    w.end()


def test_until_in_the_future_ends_by_itself(clean):
    start = time.time()
    out = clean.ok("events", "--until", str(start + 1.5), "--format", "{{.Action}}")
    assert time.time() >= start + 1.4 and out == ""


def test_five_watchers_see_a_container_go(clean):
    clean.ok("run", "-d", "--name", "one", "busybox", *STOPS)
    watchers = [Watcher(clean, "-f", "container=one", "-f", "event=destroy") for _ in range(5)]
    waiters = [clean.popen("wait", "one", stdout=subprocess.PIPE) for _ in range(5)]
    clean.ok("rm", "-f", "one")
    for w in watchers:
        assert w.next() == "destroy"
        w.end()
    for w in waiters:
        w.communicate(timeout=20)
    assert clean.ok("ps", "-aq") == ""


def test_the_journal_is_bounded_and_survives_its_rotation(clean):
    journal = clean.run_root / "events" / "journal"
    clean.ok("create", "--name", "one", "busybox", "true")
    w = Watcher(clean, "-f", "container=one")
    assert w.next() == "create"
    with open(journal, "ab") as f:
        f.write(b'{"Type":"x","Action":"' + b"x" * 1000 + b'"}\n')
        f.write(b"no event at all\n{\n\x00\xff\n" + b'{"Type":"container"' + b"\n")
        f.write((b'{"Type":"y","Action":"' + b"y" * 1000 + b'"}\n') * 4200)
    clean.ok("rename", "one", "two")
    assert (journal.parent / "journal.1").stat().st_size > 4 << 20 and not journal.exists()
    clean.ok("rename", "two", "one")
    assert journal.stat().st_size < 1000
    assert w.next() == "rename", "the watcher follows into the new file"
    w.end()
    assert actions(clean, "-f", "event=create", "-f", "event=rename", "-f", "type=container") == ["create", "rename", "rename"]


@pytest.mark.parametrize("failure", ("error(ENOSPC)", "error(EIO)"))
def test_X03_what_cannot_be_told_fails_nothing(clean, failure):
    result = clean("run", "--rm", "busybox", "sh", "-c", "exit 6", env={"KOGGE_FAILPOINTS": f"monitor.journal.write={failure}"})
    assert (result.code, result.err) == (6, "")
    assert "start" not in actions(clean)


def test_attributes_are_in_order(clean):
    clean.ok("create", "--name", "one1", "--label", "zz=1", "--label", "b=2", "busybox", "true")
    out = clean.ok("events", "--since", "1h", "--until", "0s", "--format", "json", "-f", "container=one1", "-f", "event=create")
    assert list(json.loads(out)["Actor"]["Attributes"]) == ["b", "image", "name", "zz"]


def test_as_docker(clean, docker, busybox_tar):
    """The same story gives the same events, but for networks, which Docker tells of too."""
    docker.ok("import", busybox_tar, "busybox")
    start = str(time.time())
    story = (("create", "--name", "one1", "--network", "none", "--label", "a=b", "busybox", *STOPS), ("start", "one1"), ("pause", "one1"),
             ("unpause", "one1"), ("exec", "one1", "echo", "a b"), ("exec", "one1", "true"), ("rename", "one1", "two1"), ("top", "two1"),
             ("update", "--cpus", "1", "two1"), ("kill", "-s", "WINCH", "two1"), ("stop", "two1"), ("rm", "two1"))
    def told(tool):
        out = tool.ok("events", "--since", start, "--until", str(time.time()), "--format", "{{json .}}", "-f", "type=container")
        found = []
        for e in map(json.loads, out.splitlines()):
            attributes = {k: v for k, v in e["Actor"]["Attributes"].items() if k not in ("execID", "execDuration")}
            found.append((e["Type"], e["Action"], e["status"], e["from"], sorted(e), sorted(attributes.items())))
        return found

    try:
        for tool in (clean, docker):
            for step in story:
                tool.ok(*step)
        assert told(clean) == told(docker)
    finally:
        docker("rm", "-f", "one1", "two1")
