# SPDX-License-Identifier: Apache-2.0
"""Root file systems to test with: busybox as a few files, and a real Debian, made once."""
import io
import os
import subprocess
import tarfile

from . import program

BUSYBOX = "/bin/busybox"
PASSWD = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nalice:x:1000:1000::/home/alice:/bin/sh\n"
GROUP = "root:x:0:\ndaemon:x:1:\nalice:x:1000:\nstaff:x:50:alice\n"


def add(tar, name, data=b"", **attributes):
    """Adds one entry with fixed times and owner 0; ATTRIBUTES are those of tarfile.TarInfo."""
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    for key, value in attributes.items():
        setattr(info, key, value)
    if isinstance(data, str):
        data = data.encode()
    if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
        info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def add_folder(tar, name, mode=0o755):
    add(tar, name, type=tarfile.DIRTYPE, mode=mode)


def add_link(tar, name, target):
    add(tar, name, type=tarfile.SYMTYPE, linkname=target, mode=0o777)


def busybox(path, extra=None):
    """Writes a root file system of busybox to PATH; EXTRA is {name: content} to add."""
    applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for folder in ("bin", "dev", "etc", "home", "home/alice", "proc", "root", "sys", "usr", "var"):
            add_folder(tar, folder, 0o700 if folder == "root" else 0o755)
        add_folder(tar, "tmp", 0o1777)
        with open(BUSYBOX, "rb") as f:
            add(tar, "bin/busybox", f.read(), mode=0o755)
        for applet in applets:
            if applet != "busybox":
                add_link(tar, f"bin/{applet}", "busybox")
        add_link(tar, "usr/bin", "../bin")
        add(tar, "etc/passwd", PASSWD)
        add(tar, "etc/group", GROUP)
        for name, content in (extra or {}).items():
            add(tar, name, content, mode=0o755)
    return path


def debian(name="debian", packages=()):
    """(path, None) of a Debian root file system with PACKAGES, or (None, reason)."""
    path = program.CACHE / f"{name}.tar"
    if not path.exists():
        made = subprocess.run([program.TOP / "tools" / "debian-image", path, *packages], stderr=subprocess.PIPE, text=True, check=False)
        if made.returncode != 0:
            return None, f"no Debian image: {made.stderr.strip().splitlines()[-1:]}"
    return path, None


def sanitized_environment():
    """Leaks are looked for by LeakSanitizer only where ptrace of itself works: not in containers."""
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "detect_leaks=0")}
