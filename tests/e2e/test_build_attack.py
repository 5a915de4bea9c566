# SPDX-License-Identifier: Apache-2.0
"""build: hostile Dockerfiles, contexts and requests (SECURITY.md, B03 to B20). What a version does not support yet is refused,
which is as safe as doing it right."""
import contextlib
import http.server
import json
import os
import random
import subprocess
import threading
import time

import pytest

from harness import program

pytestmark = pytest.mark.needs_root
LIMIT = 60  # seconds for what must not take long, on a busy machine with sanitizers


@pytest.fixture
def make(box, scratch):
    count = iter(range(10000))

    def run(dockerfile, *flags, files=None, **options):
        folder = scratch / f"context{next(count)}"
        folder.mkdir()
        data = dockerfile if isinstance(dockerfile, bytes) else dockerfile.encode()
        (folder / "Dockerfile").write_bytes(data)
        for name, content in (files or {}).items():
            (folder / name).write_text(content)
        options.setdefault("timeout", LIMIT)
        return box("build", "--progress", "plain", "-t", "made", *flags, folder, **options)
    return run


def see(box, *command):
    return box.ok("run", "--rm", "--network", "none", "made", *command)


@pytest.mark.parametrize("flag", ["--security=insecure", "--network=host", "--network=HOST", "--security=insecure --network=none"])
def test_B03_more_rights_must_be_allowed_on_the_command_line(make, flag):
    for text in (f"FROM busybox\nRUN {flag} touch /x\n",
                 f"FROM busybox AS a\nONBUILD RUN {flag} touch /x\nFROM a\n",
                 f"FROM busybox AS a\nRUN {flag} touch /x\nFROM busybox\nCOPY --from=a /x /x\n",
                 f"FROM busybox AS a\nRUN {flag} touch /x\nFROM busybox\nRUN --mount=from=a,target=/m true\n"):
        r = make(text)
        assert r.code == 1 and "Dockerfile:" in r.err, str(r)
        assert "allow" in r.err or "no such value" in r.err, str(r)


def test_B03_nothing_else_gives_rights(box, make):
    """What a step has is what `run` gives, with every mount and option that asks for no right."""
    probe = "grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status"
    want = box.ok("run", "--rm", "--network", "none", "busybox", "sh", "-c", probe)
    for flag in ("--mount=type=tmpfs,target=/t", "--mount=type=cache,target=/c", "--security=sandbox", "--network=none"):
        r = make(f"FROM busybox\nRUN {flag} {probe} > /seen\n")
        assert r.code == 0, str(r)
        assert see(box, "cat", "/seen") == want


@pytest.mark.parametrize("flags", [
    ["--build-arg", "="], ["--build-arg", ""], ["--label", "=x"], ["--secret", "id="], ["--secret", ""], ["--ssh", "a=b=c,,"],
    ["--build-context", "=x"], ["--build-context", "x"], ["--platform", "linux/"], ["--platform", "a/b/c/d/e"], ["--target", "\n"],
    ["--output", "type="], ["--output", "type=nothing,dest=/"], ["--ulimit", "x"], ["--add-host", ":"], ["--shm-size", "-1"],
    ["--memory", "1e99"], ["--network", "container:"], ["-t", "UPPER/../x"], ["-f", ""], ["--progress", "x"], ["--allow", "x"]])
def test_B04_a_malformed_request_is_refused_or_harmless(box, make, flags):
    r = make("FROM busybox\nRUN true\n", *flags)
    assert r.code in (0, 1, 125), str(r)
    assert r.code == 0 or r.err.strip(), str(r)


def test_B04_a_request_of_many_operations(box, make):
    lines = "".join(f"LABEL l{i}={i}\n" for i in range(5000))
    r = make("FROM busybox\n" + lines)
    assert r.code == 0 or "Dockerfile:" in r.err, str(r)[-2000:]
    assert box("system", "check").code == 0


@pytest.mark.parametrize("option", [
    "bind-propagation=shared", "bind-propagation=rshared,z", "bind-propagation=/etc", "propagation=x", "z", "Z", "U", "suid", "dev",
    "exec", "relabel=shared", "bind-propagation=private,rw,suid"])
def test_B07_mounts_take_no_option_of_the_kernel(make, option):
    r = make(f"FROM busybox AS a\nFROM busybox\nRUN --mount=type=bind,from=a,target=/m,{option} true\n")
    assert r.code == 1 and "Dockerfile:" in r.err, str(r)


def test_B08_a_source_that_changes_while_stages_run(box, make, canary):
    """One stage swaps a folder of a cache for a link out of it, others mount that folder: they see it, or are refused."""
    swap = "for i in $(seq 200); do rm -rf /c/sel; mkdir /c/sel; rmdir /c/sel; ln -s / /c/sel; done; rm -f /c/sel; mkdir /c/sel"
    assert make("FROM busybox\nRUN --mount=type=cache,id=race,target=/c mkdir -p /c/sel\n").code == 0
    for n in range(2 if program.SANITIZED else 4):
        victims = "".join(f"FROM busybox AS v{i}\nRUN --mount=type=cache,id=race,source=sel,target=/m echo {n} && ! ls /m{canary} && ! ls /m/bin\n"
                          for i in range(3))
        uses = "".join(f"COPY --from=v{i} /etc/passwd /{i}\n" for i in range(3))
        r = make(f"FROM busybox AS swap\nRUN --mount=type=cache,id=race,target=/c echo {n}; {swap}; touch /done\n{victims}"
                 f"FROM busybox\nCOPY --from=swap /done /\n{uses}")
        assert r.code == 0 or "cache 'race'" in r.err or "mounting '/m': no such file" in r.err, str(r)


@pytest.mark.parametrize("name", ["../..", "/", "a/../../b", "-x", "x" * 300])
def test_B09_no_identifier_is_a_path(box, make, scratch, canary, name):
    (scratch / "s").write_text("1")
    (scratch / "small").mkdir()
    for text, flags in (
            (f"FROM busybox\nRUN --mount=type=secret,id={name},target=/s test -e /s\n", ["--secret", f"id={name},src={scratch}/s"]),
            (f"FROM busybox\nRUN --mount=type=ssh,id={name} true\n", []),
            (f"FROM busybox\nCOPY --from={name} / /x\n", ["--build-context", f"{name}={scratch}/small"]),
            (f"FROM busybox AS {name}\nFROM {name}\n", []),
            ("FROM busybox\n", ["--target", name])):
        r = make(text, *flags)
        assert r.code in (0, 1, 125), str(r)
    assert (canary / "file").read_text() == "canary\n"
    assert box("system", "check").code == 0


# -- git and http -----------------------------------------------------------------------------------

def git(folder, *args):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(folder)}
    subprocess.run(["git", "-C", folder, "-c", "user.name=n", "-c", "user.email=e", "-c", "protocol.file.allow=always", *args],
                   check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def repository(scratch):
    if subprocess.run(["sh", "-c", "command -v git"], stdout=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("git is not installed")
    folder = scratch / "repository"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "Dockerfile").write_text("FROM busybox\nCOPY . /x/\n")
    (folder / "link").symlink_to("/")
    (folder / "up").symlink_to("..")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.mark.parametrize("part", ["..", "../..", "sub/../..", "link", "link/etc", "up", "up/context0", "/etc", "sub/../../.."])
def test_B10_a_folder_of_a_repository_is_in_it(box, repository, canary, part):
    r = box("build", "-t", "made", f"file://{repository}/.git#main:{part}", timeout=LIMIT)
    assert r.code in (1, 125) and r.err.strip(), str(r)
    assert box("image", "inspect", "made").code == 1


@pytest.mark.parametrize("url", ["ext::sh -c touch% CANARY.git", "git::ext::sh -c 'touch CANARY' .git", "fd::17/x.git", "-oProxyCommand=touch CANARY.git",
                                 "ssh://-oProxyCommand=touch CANARY/x.git", "git@-oProxyCommand=x:y.git", "REPO#--upload-pack=touch CANARY",
                                 "REPO#-x", "REPO#main:--x", "REPO#refs/../../x"])
def test_B13_no_word_of_an_url_is_an_option_or_a_command(box, repository, scratch, url):
    mark = scratch / "mark"
    text = url.replace("CANARY", str(mark)).replace("REPO", f"file://{repository}/.git")
    assert box("build", "-t", "made", "--", text, timeout=LIMIT).code in (1, 125)
    folder = scratch / "add"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM busybox\nADD [{json.dumps(text)}, \"/x/\"]\n")
    assert box("build", "-t", "made", folder, timeout=LIMIT).code == 1
    assert not mark.exists()


def test_B13_a_submodule_is_no_folder_of_the_host(box, repository, scratch, canary):
    inner = scratch / "inner"
    inner.mkdir()
    git(inner, "init", "-q", "-b", "main")
    (inner / "secret").write_text("of the host")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "one")
    git(repository, "submodule", "add", str(inner), "sub/module")
    git(repository, "commit", "-qm", "two")
    r = box("build", "-t", "made", f"file://{repository}/.git#main:sub", timeout=LIMIT)
    assert r.code != 0 or "secret" not in see(box, "ls", "/x/module")


class Hostile(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        what = self.path.strip("/").split("/")[0]
        self.send_response(302 if what in ("file", "loop", "gopher") else 200)
        if what in ("file", "loop", "gopher"):
            self.send_header("Location", {"file": "file:///etc/hostname", "loop": "/loop", "gopher": "gopher://127.0.0.1/x"}[what])
        if what == "name":
            self.send_header("Content-Disposition", 'attachment; filename="../../../../escaped"')
        if what in ("short", "long"):
            self.send_header("Content-Length", "1000" if what == "short" else "3")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b"x" * 100)


@pytest.fixture
def hostile():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path,fails", [("file/x", True), ("loop/x", True), ("gopher/x", True), ("short/x", True), ("name/y", False),
                                        ("long/x", False), ("x/%2e%2e%2f%2e%2e%2fescaped", False), ("x/..", False), ("", False)])
def test_B14_what_a_server_says_is_no_path(box, make, hostile, canary, path, fails):
    r = make(f"FROM busybox\nADD {hostile}/{path} /deep/er/\n")
    assert r.code == 1 or not fails, str(r)
    if r.code == 0:
        assert "escaped" not in see(box, "sh", "-c", "ls / /deep /tmp").split()
    assert box("system", "check").code == 0


def test_B14_a_checksum_that_is_wrong_ends_the_build(make, hostile):
    r = make(f"FROM busybox\nADD --checksum=sha256:{'0' * 64} {hostile}/x /x\n")
    assert r.code == 1 and "Dockerfile:" in r.err


# -- the cache --------------------------------------------------------------------------------------

def test_B18_an_image_is_no_record_of_the_cache(box, make, scratch):
    """An image whose history claims to come from these steps gives nothing to a build (CVE-2024-24557)."""
    text = "FROM busybox\nRUN echo honest > /x\n"
    box.ok("run", "--name", "evil", "--network", "none", "busybox", "sh", "-c", "echo evil > /x")
    box.ok("commit", "-c", "LABEL a=b", "-m", "buildkit.dockerfile.v0", "evil", "evil:1")
    box.ok("rm", "evil")
    box.ok("save", "-o", scratch / "evil.tar", "evil:1")
    box.ok("load", "-i", scratch / "evil.tar")
    r = make(text, "--cache-from", "evil:1")
    if r.code:
        r = make(text)
    assert r.code == 0 and "CACHED" not in r.err, str(r)
    assert see(box, "cat", "/x") == "honest\n"


def test_B18_every_field_of_an_image_counts(box, make):
    def config(text):
        assert make(text).code == 0
        return json.loads(box.ok("image", "inspect", "made"))[0]["Config"]

    base = "FROM busybox\nRUN echo same > /x\n"
    assert config(base + "HEALTHCHECK CMD one\n")["Healthcheck"] != config(base + "HEALTHCHECK CMD two\n")["Healthcheck"]
    assert config(base + "ONBUILD RUN one\n")["OnBuild"] != config(base + "ONBUILD RUN two\n")["OnBuild"]
    for line in ("USER 5", "WORKDIR /tmp", "SHELL [\"/bin/sh\", \"-ec\"]", "ENV A=b"):
        r = make(f"FROM busybox\n{line}\nRUN echo same > /tmp/x\n")
        assert r.code == 0 and "CACHED" not in r.err.split("RUN echo same")[-1], f"{line}: {r}"


def test_B18_the_same_name_for_another_base_is_another_key(box, make):
    for n in ("one", "two"):
        assert make(f"FROM busybox\nRUN echo {n} > /base\n").code == 0
        box.ok("tag", "made", "base:latest")
        assert make("FROM base\nRUN cp /base /copy\n").code == 0
        assert see(box, "cat", "/copy") == n + "\n"


# -- the parser ---------------------------------------------------------------------------------------

DEEP = 100000
TEXTS = {
    "a line of 100 MiB": lambda: b"FROM busybox\nRUN echo " + b"x" * (100 << 20) + b"\n",
    "a million continuations": lambda: b"FROM busybox\nFRON x" + b" \\\n" * 1000000 + b"\n",
    "a heredoc without end": lambda: b"FROM busybox\nRUN <<EOF\ntrue\n",
    "many heredocs without end": lambda: b"FROM busybox\nCOPY " + b"<<E " * 10000 + b"/x\n",
    "deep expansions": lambda: b"FROM busybox\nLABEL x=" + b"${a:-" * DEEP + b"x" + b"}" * DEEP + b"\n",
    "deep expansions without end": lambda: b"FROM busybox\nLABEL x=" + b"${a:-" * DEEP + b"\n",
    "deep JSON": lambda: b"FROM busybox\nRUN " + b"[" * DEEP + b"\n",
    "NUL": lambda: b"FROM busybox\nRUN echo \0 x\n",
    "UTF-16": lambda: "\ufeffFROM busybox\nRUN true\n".encode("utf-16-le"),
    "a circle of stages": lambda: b"FROM c AS a\nFROM a AS b\nFROM b AS c\n",
    "a circle of copies": lambda: b"FROM busybox AS a\nCOPY --from=b / /\nFROM busybox AS b\nCOPY --from=a / /\n",
    "a stage of itself": lambda: b"FROM busybox AS a\nCOPY --from=a / /x\n",
    "nothing": lambda: b"",
    "only comments": lambda: b"# x\n" * 100000,
    "an argument that grows": lambda: b"FROM busybox\nARG a=xxxxxxxxxx\n" + b"".join(
        b"ARG a=$a$a$a$a$a$a$a$a$a$a\n" for _ in range(12)) + b"LABEL x=$a\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_B20_a_hostile_dockerfile_is_refused_in_time(box, make, name):
    begin = time.monotonic()
    r = make(TEXTS[name]())
    assert r.code == 1, str(r)[:2000]
    assert "kogge: " in r.err and len(r.err) < 1 << 20, "no message of a length that people read"
    assert time.monotonic() - begin < LIMIT
    assert "busybox" in box.ok("images")


def test_B20_many_stages(box, make):
    text = "FROM busybox AS s0\n" + "".join(f"FROM s{i} AS s{i + 1}\n" for i in range(10000)) + "LABEL a=b\n"
    r = make(text)
    assert r.code == 0 or "limit" in r.err or "too " in r.err, str(r)[:2000]
    text = "".join(f"FROM busybox AS s{i}\nRUN false\n" for i in range(10000)) + "FROM busybox\nLABEL a=c\n"
    r = make(text)
    assert r.code == 0 or "limit" in r.err or "too " in r.err, str(r)[:2000]


def test_B20_bytes_at_random(make):
    seed = int(os.environ.get("KOGGE_FAULT_SEED", random.randrange(1 << 30)))
    print("KOGGE_FAULT_SEED", seed)
    pick = random.Random(seed)
    text = bytearray(b"FROM busybox AS a\nARG X=${Y:-z}\nRUN --mount=type=bind,target=/m <<E\ntrue\nE\nCOPY --from=a [\"/a\", \"/b\"]\n" * 3)
    for _ in range(10):
        for _ in range(20):
            text[pick.randrange(len(text))] = pick.randrange(256)
        assert make(b"FROM busybox\nFROM none:0\n" + bytes(text)).code == 1
