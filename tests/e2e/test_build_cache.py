# SPDX-License-Identifier: Apache-2.0
"""build: what is found in the cache, why a step runs, two builds at once, killed builds; builder prune and du."""
import os
import random
import select
import signal
import subprocess

import pytest

from harness import program

pytestmark = pytest.mark.needs_root

DOCKERFILE = """FROM busybox AS make
ARG WORD=one
WORKDIR /made
COPY a.txt .
RUN cat a.txt > out && echo $WORD >> out
FROM busybox
COPY --from=make /made/out /out
CMD ["cat", "/out"]
"""


@pytest.fixture
def context(box, scratch):
    folder = scratch / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "a.txt").write_text("text\n")
    yield folder
    box.ok("builder", "prune", "-af")
    box.ok("system", "check")


def build(box, context, *args):
    """The lines of each step by the end of its name: {"RUN ...": ["CACHED"]}."""
    result = box("build", "-t", "cached", "--progress", "plain", *args, str(context))
    assert result.code == 0, str(result)
    steps, names = {}, {}
    for line in (result.out + result.err).splitlines():
        number, _, text = line.partition(" ")
        if text.startswith("[") and number not in names:
            names[number] = text.split("] ", 1)[-1]
            steps[names[number]] = []
        elif number in names:
            steps[names[number]].append(text)
    return {name.split()[0] if name.startswith("RUN") else name: lines for name, lines in steps.items()}


def cached(steps):
    return {name for name, lines in steps.items() if "CACHED" in lines}


EVERY = {"WORKDIR /made", "COPY a.txt .", "RUN", "COPY --from=make /made/out /out"}


def test_what_is_the_same_is_not_done_again(box, context):
    assert cached(build(box, context)) == set()
    assert cached(build(box, context)) == EVERY
    (context / "a.txt").touch()
    assert cached(build(box, context)) == EVERY, "times do not count"
    (context / "a.txt").chmod(0o755)
    assert cached(build(box, context)) == {"WORKDIR /made", "COPY --from=make /made/out /out"}, \
        "modes do; what comes out is the same"
    assert cached(build(box, context, "--no-cache")) == set()
    assert "RUN" not in cached(build(box, context, "--no-cache-filter", "make"))


def test_explain_names_what_changed(box, context):
    assert any("no earlier result" in line for line in build(box, context, "--explain")["RUN"])
    (context / "a.txt").write_text("other\n")
    steps = build(box, context, "--explain")
    assert any("a.txt changed" in line for line in steps["COPY a.txt ."])
    assert any("the result of" in line and "changed from sha256:" in line for line in steps["RUN"])
    steps = build(box, context, "--explain", "--build-arg", "WORD=two")
    assert any("WORD changed from 'one' to 'two'" in line for line in steps["RUN"])


def test_two_builds_at_once_do_a_step_once(box, context):
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo begun && sleep 1 && cat /proc/sys/kernel/random/uuid > /id\n")
    both = [box.popen("build", "--progress", "plain", str(context), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                      text=True) for _ in range(2)]
    texts = [p.communicate(timeout=60)[0] for p in both]
    assert [p.returncode for p in both] == [0, 0], texts
    images = {text.split("writing image ")[1].split()[0] for text in texts}
    assert len(images) == 1, texts
    assert sum("begun" in text.split("RUN echo begun")[-1] for text in texts) == 1, texts


def test_killed_builds_leave_nothing_wrong(box, context):
    moments = 12 if not program.SANITIZED else 4
    for n in range(moments):
        (context / "a.txt").write_text(f"{n}\n")
        p = box.popen("build", "-q", str(context), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        select.select([], [], [], random.uniform(0, 0.2))
        p.send_signal(signal.SIGKILL)
        p.wait()
    build(box, context)
    assert box.ok("run", "--rm", "--network", "none", "cached") == f"{moments - 1}\none\n"
    assert cached(build(box, context)) == EVERY


def test_prune_removes_the_least_recently_used_first(box, context):
    build(box, context)
    lines = box.ok("builder", "du").splitlines()
    assert lines[0].split() == ["ID", "RECLAIMABLE", "SIZE", "LAST", "ACCESSED"]
    assert len(lines) == 1 + len(EVERY) + 2
    ids = {line.split()[0]: line.split()[1] for line in lines[1:-2]}
    assert sorted(ids.values()) == ["false", "true", "true", "true"], "an image has the last one"
    dry = box.ok("builder", "prune", "--dry-run")
    assert {i for i, free in ids.items() if free == "true"} == set(dry.splitlines()[1:4])
    assert box.ok("builder", "prune", "-f", "--filter", "until=1h").splitlines() == ["Total reclaimed space: 0B"]
    box.ok("builder", "prune", "-f")
    assert len(box.ok("builder", "du").splitlines()) == 1 + 1 + 2
    assert cached(build(box, context)) == {"COPY --from=make /made/out /out"}, "found by its content"
    box.ok("builder", "prune", "-af")
    assert len(box.ok("builder", "du").splitlines()) == 3
    assert box("builder", "prune", "-f", "--filter", "nonsense=1").code == 1


def test_cache_mounts_are_shown_and_pruned(box, context):
    (context / "Dockerfile").write_text("FROM busybox\nRUN --mount=type=cache,id=mine,target=/c head -c 200000 /dev/zero > /c/f\n")
    build(box, context)
    text = box.ok("builder", "du", "--verbose")
    entry = next(part for part in text.split("\n\n") if "exec.cachemount" in part)
    assert "cached mount mine" in entry and "Reclaimable:\ttrue" in entry
    ids = [line.split("\t")[-1] for line in entry.splitlines() if line.startswith("ID:")]
    assert box.ok("builder", "prune", "-f", "--filter", "type=copy").splitlines() == ["Total reclaimed space: 0B"]
    assert ids[0] in box.ok("builder", "prune", "--dry-run").splitlines()
    assert ids[0] in box.ok("builder", "prune", "-f", "--filter", "type=exec.cachemount").splitlines()
    assert "exec.cachemount" not in box.ok("builder", "du", "--verbose")
    (context / "Dockerfile").write_text("FROM busybox\nRUN --mount=type=cache,id=mine,target=/c ! test -e /c/f && touch /c/g\n")
    build(box, context)


def test_a_cache_that_a_build_uses_is_not_pruned(box, context):
    (context / "Dockerfile").write_text("FROM busybox\nRUN --mount=type=cache,id=busy,target=/c touch /c/f; echo begun; until test -e /c/end; do sleep 0.05; done\n")
    process = box.popen("build", "--progress", "plain", str(context), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if line.endswith(" begun\n"):
                break
        assert box.ok("builder", "prune", "-af").splitlines() == ["Total reclaimed space: 0B"]
        (end,) = (box.root / "build" / "mounts").glob("*/data")
        (end / "end").touch()
        process.stdout.read()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert "Deleted" in box.ok("builder", "prune", "-af")


def test_folders_that_come_with_a_file_are_part_of_the_key(box, context):
    (context / "Dockerfile").write_text("FROM busybox\nCOPY --parents d/e/*.c /\n")
    (context / "d" / "e").mkdir(parents=True)
    (context / "d" / "e" / "f.c").write_text("1")
    build(box, context)
    (context / "d" / "other").mkdir()
    (context / "d" / "e" / "g.h").write_text("1")
    assert cached(build(box, context)) == {"COPY --parents d/e/*.c /"}
    (context / "d").chmod(0o700)
    assert cached(build(box, context)) == set()
    (context / "d" / "e" / "h.c").write_text("1")
    assert cached(build(box, context)) == set()


def test_attributes_of_files_are_part_of_the_key(box, context):
    (context / "Dockerfile").write_text("FROM busybox\nCOPY d /d\n")
    (context / "d").mkdir()
    (context / "d" / "f").write_text("1")
    try:
        os.setxattr(context / "d" / "f", "user.kogge", b"one")
    except OSError:
        pytest.skip("no extended attributes here")
    build(box, context)
    assert cached(build(box, context)) == {"COPY d /d"}
    for value in (b"two", b"three"):
        os.setxattr(context / "d" / "f", "user.kogge", value)
        assert cached(build(box, context)) == set()
    os.setxattr(context / "d", "user.folder", b"1")
    assert cached(build(box, context)) == set()
    assert cached(build(box, context)) == {"COPY d /d"}
    os.removexattr(context / "d" / "f", "user.kogge")
    os.removexattr(context / "d", "user.folder")
    assert cached(build(box, context)) == set()
