# SPDX-License-Identifier: Apache-2.0
"""A build on a terminal."""
import re

import pytest
from harness import screen

pytestmark = pytest.mark.needs_root


@pytest.fixture
def show(box, scratch):
    folder = scratch / "context"
    folder.mkdir()

    def run(text, *flags, **options):
        (folder / "Dockerfile").write_text(text)
        return screen.run(box.args("build", "-t", "made", *flags, folder), **options)
    return run


def test_a_build_is_drawn_in_place(show):
    code, text, lines = show("FROM busybox\nRUN echo hello; sleep 1; printf 'a\\033[31mb\\007c'\nRUN true\n")
    assert code == 0
    assert re.fullmatch(r"\[\+\] Building \d+\.\ds \((\d+)/\1\) FINISHED", lines[0]), lines
    steps = [line for line in lines[1:] if line]
    assert all(re.match(r" => .*( \d+\.\ds)?$", line) and len(line) < 80 for line in steps), lines
    assert any(re.match(r" => \[2/3\] RUN echo hello; .* [1-9]\.\ds$", line) for line in steps), lines
    assert not any("hello" in line for line in steps if " => => #" in line), "the log of what is done stays on the screen"
    assert " => => # hello" in text and text.count("[+] Building") > 5, "nothing was drawn while it ran"
    code, text, lines = show("FROM busybox\nRUN echo hello; sleep 1; printf 'a\\033[31mb\\007c'\nRUN true\n")
    assert code == 0 and any(line.startswith(" => CACHED [2/3] RUN echo") for line in lines), lines


def test_a_failure_shows_its_whole_log_below(show):
    code, text, lines = show("FROM busybox\nRUN seq 1 200; exit 7\n", rows=10)
    assert code == 1
    below = lines[lines.index("------"):]
    assert below[1] == " > [2/2] RUN seq 1 200; exit 7:" and below[2:202] == [str(n) for n in range(1, 201)]
    assert any(line.startswith(" => ERROR [2/2] RUN seq") for line in lines) and "FINISHED" not in text
    assert any(line.startswith(">>> RUN seq") or ">>> RUN seq" in line for line in lines), lines


def test_a_small_screen_is_never_left(show):
    steps = "".join(f"RUN echo {n}\n" for n in range(12))
    code, text, lines = show("FROM busybox\n" + steps, rows=6, columns=30)
    assert code == 0 and max(len(line) for line in lines) < 30
    moves = [int(n) for n in re.findall(r"\x1b\[(\d+)A", text)]
    assert max(moves) < 6, "the cursor cannot go up further than the screen is high"
    assert sum(" => [" in line or " => CACHED [" in line for line in lines) >= 13, "what was left out is shown at the end"


def test_which_progress_is_chosen(box, show, scratch):
    code, text, _ = show("FROM busybox\nLABEL a=b\n", "--progress", "plain")
    assert code == 0 and "\x1b" not in text and "#1 [internal]" in text
    code, text, _ = show("FROM busybox\nLABEL a=b\n", "-q")
    assert code == 0 and re.fullmatch(r"sha256:[0-9a-f]{64}\r\n", text)
    code, text, _ = show("FROM busybox\nLABEL a=b\n", env={"NO_COLOR": "1"})
    assert code == 0 and "\x1b[34m" not in text and "[+] Building" in text
    box.fails(1, "build", "--progress", "tty", scratch / "context", saying="no terminal")
    assert "#1 [internal]" in box("build", scratch / "context").err
