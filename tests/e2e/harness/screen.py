# SPDX-License-Identifier: Apache-2.0
"""A program on a terminal, and what its screen looks like."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|(\r\n|\r|\n)|([^\x1b\r\n]+)", re.S)


class Screen:
    """Lines that grow downwards; of the control sequences those that move up, erase and colour."""

    def __init__(self):
        self.lines, self.row, self.column, self.unknown = [""], 0, 0, set()

    def feed(self, text):
        for numbers, final, newline, printed in TOKEN.findall(text):
            if printed:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[:self.column] + printed + line[self.column + len(printed):]
                self.column += len(printed)
            elif newline:
                self.column = 0
                if "\n" in newline:
                    self.row += 1
                    if self.row == len(self.lines):
                        self.lines.append("")
            elif final == "A":
                self.row = max(0, self.row - int(numbers or 1))
            elif final == "B":
                self.row = min(len(self.lines) - 1, self.row + int(numbers or 1))
            elif final == "K":
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif final == "J":
                self.lines[self.row:] = [self.lines[self.row][:self.column]]
            elif final not in "mhl":
                self.unknown.add(final)


def run(args, rows=24, columns=80, timeout=60, env=None):
    """Runs ARGS with a terminal as its output. (exit code, all that came, the screen's lines.)"""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=follower, stderr=follower,
                               env=dict(os.environ, **(env or {})), start_new_session=True)
    os.close(follower)
    end, came = time.monotonic() + timeout, b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([leader], [], [], left)[0]:
            process.kill()
            raise AssertionError(f"hung: {args}: {came!r}")
        try:
            got = os.read(leader, 65536)
        except OSError:  # EIO: nobody has the other end
            break
        if not got:
            break
        came += got
    os.close(leader)
    screen = Screen()
    text = came.decode(errors="replace")
    screen.feed(text)
    assert not screen.unknown, f"control sequences that the screen does not know: {screen.unknown}"
    return process.wait(), text, [line.rstrip() for line in screen.lines]
