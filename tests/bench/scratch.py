# SPDX-License-Identifier: Apache-2.0
"""Where the contestants keep what they have: a file system of the bench's own, ext4 as mkfs makes it,
so that the figures do not hang on the options of the host's. (Without a journal, as some virtual
machines have it, ext4 looks at each recently removed inode before it gives out a new one: half of
the time of containers that come and go.) KOGGE_TEST_DIR names another folder, used as it is."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

SIZE = 16 << 30  # of a sparse file


def mount(folder):
    """Puts a new ext4 over FOLDER/data; whether that could be done."""
    image = folder / "image"
    with open(image, "wb") as f:
        f.truncate(SIZE)
    commands = (["mkfs.ext4", "-q", "-F", "-i", "65536", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", image],
                ["mount", "-o", "loop", image, folder / "data"])
    for command in commands:
        try:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


def unmount(data):
    """What ends with the last container, as the resolver, takes a moment."""
    for _ in range(50):
        if subprocess.run(["umount", data], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "--lazy", data], check=False)


@contextlib.contextmanager
def scratch(notes):
    """A folder for the time of the bench. NOTES gets a word where it is on the host's file system."""
    chosen = os.environ.get("KOGGE_TEST_DIR")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kogge-bench-", dir=chosen or "/var/tmp"))
    data = folder / "data"
    data.mkdir()
    mounted = not chosen and mount(folder)
    if not mounted:
        notes.append(f"the containers lie on the file system of {folder.parent}")
    try:
        yield data
    finally:
        if mounted:
            unmount(data)
        shutil.rmtree(folder, ignore_errors=True)
