# SPDX-License-Identifier: Apache-2.0
"""Containers of kogge-runtime to attack, in the ways it can start them:

    root           as root, on this kernel
    userns         as root, with a user namespace of its own
    rootless       as an ordinary user
    old, ...       the same where openat2, clone3 and the new mount calls are denied (old_kernel.py)
"""
import functools
import os
import pathlib
import shutil
import subprocess
import sys

from . import old_kernel, program
from .bundle import Bundle

MODES = ["root", "userns", "rootless", "old", "old-userns", "old-rootless"]
ORDINARY = 61000  # a user whom nobody is
HOST_ID, IDS = 100000, 65536
SOURCE = pathlib.Path(__file__).with_name("attack.c")
OLD = pathlib.Path(__file__).with_name("old_kernel.py")


@functools.lru_cache(maxsize=None)
def build_attack(folder):
    """The program of attack.c, or the reason why there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        return None, "no C compiler is installed"
    out = pathlib.Path(folder) / "attack"
    done = subprocess.run([compiler, "-O1", "-static", "-o", out, SOURCE], capture_output=True, text=True)
    return (out, None) if done.returncode == 0 else (None, f"attack.c does not compile: {done.stderr[-300:]}")


def missing(mode):
    """Why containers cannot be started in this way here, or None."""
    if mode.startswith("old"):
        return old_kernel.missing()
    return None


def chown_tree(top, uid):
    for folder, folders, files in os.walk(top):
        for name in [".", *folders, *files]:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            os.lchown(path, uid, uid)
            if not os.path.islink(path):
                os.chmod(path, mode & 0o7777)  # chown takes set-user-ID away


class Target(Bundle):
    """A bundle in one of MODES, with the attacking program in /bin/attack."""

    def __init__(self, mode, folder, rootfs_tar, attack):
        self.mode = mode
        prefix = [sys.executable, OLD] if mode.startswith("old") else []
        if self.rootless:
            prefix += ["setpriv", "--reuid", ORDINARY, "--regid", ORDINARY, "--clear-groups"]
            folder.chmod(0o755)
            os.chown(folder, ORDINARY, ORDINARY)
        super().__init__(folder, rootfs_tar, prefix, ["--rootless"] if self.rootless else [])
        shutil.copy(attack, self.rootfs / "bin/attack")
        (self.rootfs / "bin/attack").chmod(0o755)
        if self.userns and not self.rootless:
            ids = [{"containerID": 0, "hostID": HOST_ID, "size": IDS}]
            self.config["linux"].update(uidMappings=ids, gidMappings=ids)
            self.config["linux"]["namespaces"].append({"type": "user"})

    @property
    def rootless(self):
        return self.mode.endswith("rootless")

    @property
    def userns(self):
        return self.mode.endswith(("userns", "rootless"))

    @property
    def outer_root(self):
        """What the container's root is outside."""
        return ORDINARY if self.rootless else HOST_ID if self.userns else 0

    def write(self):
        """Everything of the root file system belongs to the container's root."""
        if self.userns:
            chown_tree(self.rootfs, self.outer_root)
        super().write()

    def allow(self, *caps):
        """Gives the container's root more capabilities."""
        for kind in ("bounding", "effective", "permitted"):
            held = self.process["capabilities"].setdefault(kind, [])
            held += [c for c in caps if c not in held]

    def bind(self, source, destination, *options):
        self.config["mounts"].append({"destination": destination, "type": "bind", "source": str(source),
                                      "options": [*(options or ["rbind"])]})

    def exec(self, *args, options=(), **popen):
        return self.runtime("exec", *options, self.id, *args, **popen)

    def start(self, *args):
        """Creates and starts the container; its output goes to `out`."""
        assert self.create(*args) == 0, self.out
        started = self.runtime("start", self.id)
        assert started.code == 0, str(started)

    def popen(self, *args):
        """`run` in the background."""
        self.process["args"] = list(args)
        self.write()
        return subprocess.Popen([*map(str, self.prefix), program.PROGRAMS / "kogge-runtime", "--root", self.states,
                                 "run", "--bundle", self.folder, self.id], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
