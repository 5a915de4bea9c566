# SPDX-License-Identifier: Apache-2.0
"""A Docker daemon for comparison: its own socket, folders and PID file, no network set up
(unless asked for, in a network namespace of the caller's own), and stopped by its process ID."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

from . import program

START_SECONDS = 60


def missing():
    """Why dockerd cannot be used here, or None."""
    if os.geteuid() != 0:
        return "dockerd needs root"
    for name in ("dockerd", "docker", "containerd", "runc"):
        if not shutil.which(name):
            return f"{name} is not installed"
    return None


class Docker:
    def __init__(self, folder, *arguments, network=False, prefix=()):
        """PREFIX: a command line that runs what follows it, nsenter for example."""
        self.prefix = list(prefix)
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.log = open(folder / "dockerd.log", "wb")
        self.env = {"DOCKER_CONFIG": str(folder / "config"), "DOCKER_HOST": f"unix://{self.socket}"}
        self.daemon = subprocess.Popen(
            [*self.prefix, "dockerd", "-H", f"unix://{self.socket}", "--data-root", folder / "data", "--exec-root", folder / "exec",
             "--pidfile", folder / "pid", "--storage-driver", "overlay2",
             *([] if network else ["--iptables=false", "--ip6tables=false", "--bridge=none"]), *arguments],
            stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)

    def wait(self):
        """Returns once the daemon answers. The socket appears before it does; `docker version`
        blocks on the connection until then, so that this does not spin."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.daemon.poll() is None:
            if self.socket.exists() and self("version").code == 0:
                return self
            try:
                self.daemon.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        self.stop()
        tail = (self.folder / "dockerd.log").read_text(errors="replace")[-600:]
        raise RuntimeError(f"dockerd did not start: {tail}")

    def __call__(self, *args, env=None, **options):
        return program.run([*self.prefix, "docker", *args], env={**self.env, **(env or {})}, **options)

    def ok(self, *args, **options):
        result = self(*args, **options)
        assert result.code == 0, str(result)
        return result.out

    def stop(self):
        """Stops the daemon and removes its folders, layers too."""
        if self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(20)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        self.log.close()
        for folder in pathlib.Path("/sys/fs/cgroup").glob("*/docker"):
            try:
                folder.rmdir()  # fails, rightly, where another daemon has containers
            except OSError:
                pass
        with open("/proc/self/mounts", encoding="utf-8") as f:
            below = [line.split()[1] for line in f if line.split()[1].startswith(str(self.folder))]
        for mount in sorted(below, reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
