# SPDX-License-Identifier: Apache-2.0
"""What the checks share: the tracked files, and C text without comments and strings."""
import functools
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent

_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def tracked(*patterns):
    """Paths of the files that git knows or would add, relative to the top."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=TOP,
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return [p for p in out.splitlines() if (TOP / p).is_file()]


def read(path):
    return (TOP / path).read_text(encoding="utf-8", errors="surrogateescape")


def _blank(match, keep_strings):
    text = match.group(0)
    if keep_strings and text[0] in "\"'":
        return text
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[0]
    return re.sub(r"[^\n]", " ", text)


@functools.lru_cache(maxsize=None)
def code(path, keep_strings=False):
    """The text of a C file with comments (and what is in strings) as blanks: the same lines and
    columns as in the file."""
    return _TOKEN.sub(lambda m: _blank(m, keep_strings), read(path))


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def is_test(path):
    return pathlib.PurePath(path).name.startswith(("test-", "fuzz-")) or path.startswith("tests/")
