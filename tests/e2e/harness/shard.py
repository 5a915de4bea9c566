# SPDX-License-Identifier: Apache-2.0
"""The suite on several processors: tools/check starts several pytest processes, and each of them
takes the next module that nobody has taken. So that what one test makes is not another's leftover,
each process has cgroup hierarchies of its own, and all but the first a network of their own and
mounts that are shared, as systemd makes them (the first has them as the machine does). Tests
that need the machine's network carry the marker `network`; their modules are the first process's.

KOGGE_TEST_SHARD is INDEX:FOLDER; a module is taken by making a file with its name in FOLDER."""
import ctypes
import os
import pathlib
import subprocess

CLONE_NEWCGROUP, CLONE_NEWNET = 0x02000000, 0x40000000
MNT_DETACH = 2
MS_REC, MS_SHARED = 0x4000, 0x100000
CGROUPS = pathlib.Path("/sys/fs/cgroup")

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


def _mount(source, target, kind, data):
    _check(_libc.mount(source.encode(), str(target).encode(), kind.encode(), 0, data.encode()), f"mount {target}")


def _hierarchies():
    """[(mount point, type, options, path of this process)] of each cgroup hierarchy."""
    paths, controllers = {}, set()
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        paths[names] = path
        controllers |= set(names.split(","))
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, kind = line.split(" - ")[0].split(), line.split(" - ")[1].split()
        if kind[0] == "cgroup2":
            found.append((pathlib.Path(fields[4]), kind[0], "", paths.get("", "/")))
        elif kind[0] == "cgroup":
            options = ",".join(o for o in kind[2].split(",") if o in controllers or o.startswith("name="))
            found.append((pathlib.Path(fields[4]), kind[0], options, paths.get(options, "/")))
    return found


class Shard:
    """The process's own part of the machine; `leave` gives it back. In a mount table of its own."""

    def __init__(self, text):
        index, folder = text.split(":", 1)
        self.first, self.folder = index == "0", pathlib.Path(folder)
        self.name = f"kogge-shard-{os.getpid()}"
        self.parents = []
        self._cgroups()
        if not self.first:
            self._network()

    def _cgroups(self):
        hierarchies = _hierarchies()
        for point, _, _, path in hierarchies:
            parent = os.open(point / path.lstrip("/"), os.O_PATH | os.O_DIRECTORY)
            os.mkdir(self.name, dir_fd=parent)
            self.parents.append(parent)
            for file in ("cpuset.cpus", "cpuset.mems"):
                here = pathlib.Path(f"/proc/self/fd/{parent}")
                if (here / self.name / file).exists():
                    (here / self.name / file).write_text((here / file).read_text())
            self._move(parent, self.name)
        _check(_libc.unshare(CLONE_NEWCGROUP), "unshare")
        for point, _, _, _ in hierarchies:
            _check(_libc.umount2(str(point).encode(), MNT_DETACH), f"umount {point}")
        if self.first:
            for point, kind, options, _ in hierarchies:
                _mount("cgroup", point, kind, options)
            return
        # /sys shows the links of the network in which it was mounted.
        _check(_libc.unshare(CLONE_NEWNET), "unshare")
        links = {p: os.readlink(p) for p in CGROUPS.iterdir() if p.is_symlink()} if CGROUPS.is_dir() else {}
        _mount("sysfs", "/sys", "sysfs", "")
        if all(point != CGROUPS for point, _, _, _ in hierarchies):
            _mount("tmpfs", CGROUPS, "tmpfs", "mode=755")
        for point, kind, options, _ in hierarchies:
            point.mkdir(exist_ok=True)
            _mount("cgroup", point, kind, options)
        for path, target in links.items():
            path.symlink_to(target)

        _check(_libc.mount(None, b"/", None, MS_REC | MS_SHARED, None), "mount --make-rshared /")

    @staticmethod
    def _network():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    @staticmethod
    def _move(parent, name="."):
        pathlib.Path(f"/proc/self/fd/{parent}", name, "cgroup.procs").write_text(str(os.getpid()))

    def leave(self):
        for parent in self.parents:
            self._move(parent)
            top = pathlib.Path(f"/proc/self/fd/{parent}", self.name)
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass  # somebody still works there
            os.close(parent)

    def _take(self, module, items):
        if not self.first and any(item.get_closest_marker("network") for item in items):
            return False
        try:
            os.close(os.open(self.folder / module.name, os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            return False
        return True

    def items(self, items):
        """Yields (item, next item) of the modules that this process takes. A module is taken when
        the last test of the one before is about to run: the fixtures of the session stay. Large
        modules go first, so that none is left alone at the end; those that only the first process
        takes are its first."""
        modules = {}
        for item in items:
            modules.setdefault(item.path, []).append(item)
        order = sorted(modules, key=lambda m: (not any(i.get_closest_marker("network") for i in modules[m]),
                                               -sum(100 if i.get_closest_marker("slow") else 1 for i in modules[m])))
        taken = (item for module in order if self._take(module, modules[module]) for item in modules[module])
        item = next(taken, None)
        while item:
            following = next(taken, None)
            yield item, following
            item = following
