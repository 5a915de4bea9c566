# SPDX-License-Identifier: Apache-2.0
"""A systemd of a few calls, on the socket of the real one: StartTransientUnit makes a cgroup and
moves the process into it, StopUnit tells that the job is done. `calls` keeps what was asked."""
import contextlib
import pathlib
import struct

from harness import dbus

CGROUPS = pathlib.Path("/sys/fs/cgroup")
UNIFIED = CGROUPS if (CGROUPS / "cgroup.controllers").exists() else CGROUPS / "unified"


class Systemd(dbus.Service):
    """As a context: the socket is there."""

    folder, name = pathlib.Path("/run/systemd"), "private"

    def __init__(self, result="done"):
        self.calls, self.units, self.result = [], {}, result

    def __exit__(self, *args):
        super().__exit__(*args)
        # The slices, in every hierarchy: the real one removes them when they are empty.
        for path in self.units.values():
            inner = path.relative_to(UNIFIED)
            for top in {UNIFIED, *CGROUPS.iterdir()}:
                for part in [inner, *inner.parents][:-1]:
                    with contextlib.suppress(OSError):
                        (top / part).rmdir()

    def answer(self, client, serial, member, body):
        name = body.text()
        call = [member, name]
        if member == "StartTransientUnit":
            call += [body.text(), dict(body.array(8, lambda: body.pair(body.text)))]
            self._make(name, call[3])
        elif member == "SetUnitProperties":
            call += [bool(body.number("I")), dict(body.array(8, lambda: body.pair(body.text)))]
        self.calls.append(call)
        if member == "StopUnit" and name not in self.units:
            client.sendall(dbus.message(3, [(5, "u", serial), (4, "s", "org.freedesktop.systemd1.NoSuchUnit"), (8, "g", "s")],
                                    dbus.text(f"Unit {name} not loaded."), 1))
            return
        # Signals of others come in between.
        for unit in ("other.scope", name):
            done = dbus.pad(struct.pack("<I", 7) + dbus.text("/job/7"), 4) + dbus.text(unit)
            done = dbus.pad(done, 4) + dbus.text(self.result)
            if unit == name:
                client.sendall(dbus.message(2, [(5, "u", serial), (8, "g", "o")], dbus.text("/job/7"), 2))
            client.sendall(dbus.message(4, [(1, "o", "/x"), (2, "s", "y.Manager"), (3, "s", "JobRemoved"), (8, "g", "uoss")], done, 3))

    def _make(self, name, properties):
        path = UNIFIED
        parts = properties["Slice"].removesuffix(".slice").split("-") if properties["Slice"] != "-.slice" else []
        for i in range(len(parts)):
            path /= "-".join(parts[:i + 1]) + ".slice"
        path /= name
        path.mkdir(parents=True, exist_ok=True)
        self.units[name] = path
        for pid in properties["PIDs"]:
            (path / "cgroup.procs").write_text(str(pid))
