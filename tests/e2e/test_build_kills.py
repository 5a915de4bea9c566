# SPDX-License-Identifier: Apache-2.0
"""build: SIGKILL at random moments. The next build is right, and takes from the cache what had been complete.
KOGGE_TEST_BUILD_KILLS is the number of moments."""
import os
import random
import re
import select
import signal
import subprocess
import time

import pytest

from harness import program

pytestmark = pytest.mark.needs_root
KILLS = int(os.environ.get("KOGGE_TEST_BUILD_KILLS", "3" if program.SANITIZED else "8"))

DOCKERFILE = """FROM busybox AS one
ARG ROUND
RUN echo one-$ROUND > /one && head -c 300000 /dev/zero > /big
COPY f /f
RUN cat /one /f > /two && for i in 1 2 3 4 5 6 7 8; do echo $i > /n$i; done
FROM busybox AS side
ARG ROUND
RUN --mount=type=cache,target=/c echo side-$ROUND > /side; echo x >> /c/x
FROM busybox
COPY --from=one /two /big /
COPY --from=side /side /
WORKDIR /made/here
RUN cat /two /side > all; rm /big
"""


def steps_done(text):
    """The names of the steps that were reported as complete, whether they ran or were cached."""
    names, done = {}, set()
    for line in text.splitlines():
        match = re.match(r"#(\d+) (.*)", line)
        if not match:
            continue
        number, rest = match.groups()
        if rest.startswith("[") and " FROM " not in rest and "[internal]" not in rest:
            names.setdefault(number, rest)
        elif number in names and (rest.startswith("DONE") or rest == "CACHED"):
            done.add(names[number])
    return done


def steps_cached(text):
    numbers = set(re.findall(r"^#(\d+) CACHED", text, re.M))
    return {name for number, name in re.findall(r"^#(\d+) (\[.*)", text, re.M) if number in numbers}


def test_B21_a_build_killed_at_any_moment(box, scratch):
    folder = scratch / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    seed = int(os.environ.get("KOGGE_FAULT_SEED", random.randrange(1 << 30)))
    print("KOGGE_FAULT_SEED", seed)
    moments = random.Random(seed)
    (folder / "f").write_text("warm up\n")
    begin = time.monotonic()
    box.ok("build", "--build-arg", "ROUND=x", folder, timeout=60)
    takes = time.monotonic() - begin
    interrupted = reused = 0
    for n in range(KILLS):
        (folder / "f").write_text(f"file {n}\n")
        args = box.args("build", "--progress", "plain", "-t", "killed", "--build-arg", f"ROUND={n}", folder)
        with open(scratch / "log", "wb") as log:
            process = subprocess.Popen(args, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        select.select([], [], [], moments.uniform(0, 1.1 * takes))
        process.send_signal(signal.SIGKILL)
        interrupted += process.wait() != 0
        before = steps_done((scratch / "log").read_text())
        r = box("build", "--progress", "plain", "-t", "killed", "--build-arg", f"ROUND={n}", folder, timeout=60)
        assert r.code == 0, f"moment {n}: {r}"
        missing = before - steps_cached(r.err)
        assert not missing, f"moment {n}: ran again though they were complete: {missing}\n{r.err}"
        reused += len(before)
        if n % 10 == 0 or n == KILLS - 1:
            assert box.ok("run", "--rm", "--network", "none", "killed", "cat", "all") == f"one-{n}\nfile {n}\nside-{n}\n"
    print(f"{interrupted} of {KILLS} builds were interrupted, {reused} steps reused; a build takes {takes:.2f} s")
    assert box("system", "check").code == 0
    end = time.monotonic() + 60
    while list((box.run_root / "builds").glob("*")):
        assert time.monotonic() < end, "run directories of steps were left"
        select.select([], [], [], 0.02)
