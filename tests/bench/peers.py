# SPDX-License-Identifier: Apache-2.0
"""Who is measured: Kogge, the peers as Debian packages them, and the floor. Each peer gives command
lines; the bench runs and times them."""
import json
import os
import pathlib
import shutil
import subprocess
import tarfile

from harness import docker as docker_harness
from harness import images, program

HERE = pathlib.Path(__file__).resolve().parent
IMAGE = "bench-busybox"


def must(*args, **options):
    result = program.run(args, timeout=600, **options)
    if result.code != 0:
        raise RuntimeError(str(result))
    return result


class Tools:
    """The bench's own C programs, and the root file system that all use."""

    def __init__(self, folder):
        self.folder = folder
        for name, flags in (("floor", ["-static"]), ("timed", ["-static"]), ("memlock-stub", ["-shared", "-fPIC"])):
            must("cc", "-O2", "-D_GNU_SOURCE", *flags, "-o", folder / name, HERE / f"{name}.c")
        self.busybox_tar = images.busybox(folder / "busybox.tar")
        self.rootfs = folder / "rootfs"
        with tarfile.open(self.busybox_tar) as tar:
            tar.extractall(self.rootfs)
        (self.rootfs / "mnt").mkdir()
        (folder / "scratch").mkdir()

    def floor(self, overlay=True):
        return [self.folder / "floor", self.rootfs, self.folder / "scratch" if overlay else "-", "/bin/true"]


class Kogge(program.Kogge):
    name = "kogge"

    def __init__(self, folder):
        super().__init__(folder / "kogge")
        self.folder.mkdir()

    def prepare(self, tar):
        self.ok("import", tar, IMAGE)

    def command(self, *args):
        return self.args(*args)

    def close(self):
        pass


class Docker:
    name = "docker"

    def __init__(self, folder):
        reason = docker_harness.missing()
        if reason:
            raise RuntimeError(reason)
        (folder / "docker").mkdir()
        self.daemon = docker_harness.Docker(folder / "docker").wait()

    def prepare(self, tar):
        self.daemon.ok("import", tar, IMAGE)

    def command(self, *args):
        return ["docker", "-H", self.daemon.env["DOCKER_HOST"], *args]

    def close(self):
        self.daemon.stop()


class Podman:
    name = "podman"

    def __init__(self, folder):
        if not shutil.which("podman"):
            raise RuntimeError("podman is not installed")
        self.folder = folder / "podman"
        self.folder.mkdir()
        runtime = "runc" if shutil.which("runc") else "crun"
        self.options = ["--root", self.folder / "root", "--runroot", self.folder / "run", "--tmpdir", self.folder / "tmp",
                        "--runtime", runtime, "--cgroup-manager", "cgroupfs", "--events-backend", "none",
                        "--storage-driver", "overlay"]

    def prepare(self, tar):
        must("podman", *self.options, "import", tar, IMAGE)

    def command(self, verb, *args):
        # Podman raises limits that this machine may deny; name some that it surely has.
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"] if verb == "run" else []
        return ["podman", *self.options, verb, *limits, *args]

    def close(self):
        program.run(["podman", *self.options, "rmi", "-af"])
        with open("/proc/self/mounts", encoding="utf-8") as f:
            below = [line.split()[1] for line in f if line.split()[1].startswith(str(self.folder))]
        for mount in sorted(below, reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)


class Runtimes:
    """OCI runtimes on one bundle with /bin/true."""

    def __init__(self, folder, rootfs, stub):
        self.folder, self.stub, self.serial = folder / "runtimes", stub, 0
        self.bundle = self.folder / "bundle"
        self.bundle.mkdir(parents=True)
        (self.bundle / "rootfs").symlink_to(rootfs)
        must("runc", "spec", "--bundle", self.bundle)
        config = json.loads((self.bundle / "config.json").read_text())
        config["process"] |= {"terminal": False, "args": ["/bin/true"]}
        config["root"] = {"path": str(rootfs), "readonly": True}
        (self.bundle / "config.json").write_text(json.dumps(config))
        self.notes = []

    def without_unified(self):
        """crun refuses a cgroup v1 machine whose `unified` has controllers too. In the bench's own
        mount table a tmpfs stands there, for all runtimes alike."""
        subprocess.run(["umount", "-l", "/sys/fs/cgroup/unified"], stderr=subprocess.DEVNULL, check=False)
        if subprocess.run(["mount", "-t", "tmpfs", "none", "/sys/fs/cgroup/unified"], check=False).returncode == 0:
            self.notes.append("cgroup v1 without `unified` for the runtimes: crun refuses the hybrid layout of this machine")

    def programs(self):
        """{name: (program, environment)} of those that can run the bundle here."""
        crun = shutil.which("crun")
        if crun and "hybrid" in program.run(self.command(crun), env={"LD_PRELOAD": str(self.stub)}).err:
            self.without_unified()
        found = {}
        for name, path in (("kogge-runtime", program.PROGRAMS / "kogge-runtime"), ("crun", shutil.which("crun")),
                           ("runc", shutil.which("runc"))):
            if not path or not os.path.exists(path):
                continue
            for preload in ("", str(self.stub)):
                env = {"LD_PRELOAD": preload} if preload else {}
                trial = program.run(self.command(path), env=env)
                if trial.code == 0:
                    found[name] = (path, env)
                    if preload:
                        self.notes.append(f"{name} runs with a preloaded stub for RLIMIT_MEMLOCK, which this machine denies")
                    break
                if name != "crun":
                    self.notes.append(f"{name} left out: {trial.err.strip()[-200:]}")
                    break
            else:
                self.notes.append(f"{name} left out: {trial.err.strip()[-200:]}")
        return found

    def call(self, path, *args):
        return [path, "--root", self.folder / f"state-{os.path.basename(path)}", *args]

    def lifecycle(self, path):
        """The commands of one container that runs /bin/true, without anybody who waits for it."""
        self.serial += 1
        id_ = f"bench-{os.getpid()}-{self.serial}"
        return [self.call(path, "create", "--bundle", self.bundle, id_), self.call(path, "start", id_),
                self.call(path, "delete", "--force", id_)]

    def sleeping(self, path, env):
        """A container that sleeps, to exec in; returns its ID."""
        folder = self.folder / "sleeping"
        if not folder.exists():
            folder.mkdir()
            config = json.loads((self.bundle / "config.json").read_text())
            config["process"]["args"] = ["/bin/sleep", "100000"]
            (folder / "config.json").write_text(json.dumps(config))
        id_ = f"bench-{os.getpid()}-sleeping"
        with open(self.folder / "sleeping.out", "wb") as out:
            subprocess.run([str(a) for a in self.call(path, "run", "--detach", "--bundle", folder, id_)], stdin=subprocess.DEVNULL,
                           stdout=out, stderr=out, env=dict(os.environ, **env), timeout=60, check=True)
        return id_

    def command(self, path):
        self.serial += 1
        return [path, "--root", self.folder / "state", "run", "--bundle", self.bundle, f"bench-{os.getpid()}-{self.serial}"]
