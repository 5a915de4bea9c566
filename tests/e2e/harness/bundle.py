# SPDX-License-Identifier: Apache-2.0
"""Bundles of busybox for kogge-runtime."""
import json
import os
import pathlib
import select
import subprocess
import tarfile

from . import program

CGROUPS = pathlib.Path("/sys/fs/cgroup")


class Bundle:
    """A bundle with a configuration that a test changes before it runs it."""

    def __init__(self, folder, rootfs_tar, prefix=(), spec=()):
        """PREFIX: a command that runs the runtime, as `setpriv` would. SPEC: options of `spec`."""
        self.folder = folder
        self.prefix = [str(word) for word in prefix]
        self.rootfs = folder / "rootfs"
        self.rootfs.mkdir()
        with tarfile.open(rootfs_tar) as tar:
            tar.extractall(self.rootfs)
        self.states = folder / "states"
        self.id = "e2e" + "".join(c for c in folder.name if c.isalnum())  # a name that containerd takes, too
        self.runtime = lambda *args, **options: program.run(
            [*self.prefix, program.PROGRAMS / "kogge-runtime", "--root", self.states, *args], **options)
        made = self.runtime("spec", *spec, "--bundle", folder)
        assert made.code == 0, str(made)
        self.config = json.loads((folder / "config.json").read_text())
        self.process = self.config["process"]
        self.process["terminal"] = False
        self.config["root"]["readonly"] = False

    def write(self):
        (self.folder / "config.json").write_text(json.dumps(self.config))

    def sh(self, script, **options):
        """Runs a shell script as the container's program."""
        return self.run("/bin/sh", "-c", script, **options)

    def run(self, *args, options=(), **popen):
        if args:
            self.process["args"] = list(args)
        self.write()
        return self.runtime("run", "--bundle", self.folder, *options, self.id, **popen)

    def ok(self, script, **options):
        result = self.sh(script, **options)
        assert result.code == 0, str(result)
        return result.out

    def create(self, *args, flags=(), **options):
        """`create` and what follows it use files: the waiting container keeps its stdio open."""
        if args:
            self.process["args"] = list(args)
        self.write()
        with open(self.folder / "out", "wb") as out:
            process = subprocess.run(
                [*self.prefix, program.PROGRAMS / "kogge-runtime", "--root", self.states, "create", "--bundle",
                 self.folder, "--pid-file", self.folder / "pid", *flags, self.id],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60, **options)
        return process.returncode

    @property
    def out(self):
        return (self.folder / "out").read_text()

    def state(self):
        return self.runtime("state", self.id).json

    def delete(self):
        result = self.runtime("delete", "--force", self.id)
        assert result.code == 0, str(result)

    def leftovers(self):
        # os.walk does not mind what others remove meanwhile
        found = [folder for folder, _, _ in os.walk(CGROUPS) if folder.endswith(f"/{self.id}")]
        if self.states.exists():
            found += [str(p) for p in self.states.iterdir()]
        return found


def wait_gone(pid):
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([fd], [], [], 10)
    os.close(fd)
