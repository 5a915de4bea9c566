# SPDX-License-Identifier: Apache-2.0
"""Containers' files as tar archives, and containers that wait."""
import contextlib
import io
import os
import subprocess
import tarfile


def members(data):
    """{name: (type, mode, uid, gid, content or target)} of a tar archive."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for m in tar:
            content = tar.extractfile(m).read() if m.isreg() else m.linkname
            kind = tarfile.REGTYPE if m.islnk() else m.type
            if m.islnk():
                content = tar.extractfile(m).read()
            found[m.name.rstrip("/")] = (kind, m.mode & 0o7777 if not m.issym() else 0, m.uid, m.gid, content)
    return found


def raw(program, *args):
    """The output of a command as bytes."""
    if hasattr(program, "args"):
        return subprocess.run(program.args(*args), stdout=subprocess.PIPE, check=True).stdout
    return subprocess.run(["docker", *args], stdout=subprocess.PIPE, check=True,
                          env=dict(os.environ, **program.env)).stdout


@contextlib.contextmanager
def running(kogge, *args):
    """A container that runs and has said "ready"; ends with its input."""
    process = kogge.popen("run", "--rm", "-i", "--name", "live", *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.stdin.close()
        process.stdout.close()
        assert process.wait(30) == 0
