# SPDX-License-Identifier: Apache-2.0
"""build: the contexts of tests/build/ built by Kogge and by BuildKit, and their images compared: every file with its
type, mode, owner, links and attributes, the configuration and the history.

A context is a folder with a Dockerfile. `flags` beside it holds more arguments of build, "@" stands for the context;
`make` is a script that adds to it what Git does not keep. `only-kogge` says why BuildKit, as Debian's Docker has it, does
not build it; then `want` may be a Dockerfile from which BuildKit makes the image that is wanted, but for its history.
`differs` says what is different on purpose, and is not compared: "files", "config" or "history" and why.

What BuildKit made of each is recorded in tests/build/recorded.json, so that it need not build all of them each time: it
builds a few, and those whose image is not as the record has it. KOGGE_TEST_CORPUS=live has it build all,
KOGGE_TEST_CORPUS=record writes the record anew. KOGGE_TEST_CASES are patterns of cases, for a run of some; with -s the time of each is shown."""
import concurrent.futures
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import select
import shlex
import shutil
import subprocess
import tarfile
import time

import pytest

from harness import program

pytestmark = pytest.mark.needs_root

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "build"
CASES = sorted(p.parent.name for p in CORPUS.glob("*/Dockerfile")
               if any(p.parent.match(word) for word in os.environ.get("KOGGE_TEST_CASES", "*").split()))
HOW = os.environ.get("KOGGE_TEST_CORPUS", "")
RECORDS = CORPUS / "recorded.json"
ALWAYS = ("add", "copy", "config", "from-only", "links", "run-delete", "stages", "stage-whiteouts", "user", "workdir")
ABOUT = ("flags", "differs", "only-kogge", "want")  # not part of the context
FIELDS = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "Healthcheck",
          "Shell", "OnBuild")


def text_of(case, name):
    path = CORPUS / case / name
    return path.read_text() if path.exists() else ""


def context_of(case, folder):
    """A copy of the context, without what is about the test, and the same for both programs."""
    to = folder / case
    if not to.exists():
        shutil.copytree(CORPUS / case, to, symlinks=True, ignore=lambda at, _: ABOUT if at == str(CORPUS / case) else ())
        make = to / "make"
        if make.exists():
            subprocess.run(["sh", "-eu", "make"], cwd=to, check=True)
            make.unlink()
    return to


def apply(tree, layer):
    """Applies a layer (image-spec layer.md) to {name: (type, mode, uid, gid, content or target, attributes)}."""
    below = list(tree)
    for m in layer:
        name = m.name.strip("/").removeprefix("./")
        folder, _, last = name.rpartition("/")
        if last == ".wh..wh..opq":
            for old in [n for n in below if n.startswith(folder + "/")]:
                tree.pop(old, None)
            continue
        if last.startswith(".wh."):
            gone = f"{folder}/{last[4:]}".strip("/")
            for old in [n for n in tree if n == gone or n.startswith(gone + "/")]:
                del tree[old]
            continue
        if not m.isdir():
            for old in [n for n in tree if n.startswith(name + "/")]:
                del tree[old]
        xattrs = {k: v for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        if m.islnk():
            tree[name] = tree[m.linkname.strip("/")]
        elif name not in ("", "."):
            content = layer.extractfile(m).read() if m.isreg() else m.linkname
            tree[name] = (m.type, 0 if m.issym() else m.mode & 0o7777, m.uid, m.gid, content, xattrs)


def images_of(archive):
    """{name: (configuration, files)} of what `save` wrote."""
    found, trees = {}, {(): {}}
    with tarfile.open(archive) as tar:
        for one in json.load(tar.extractfile("manifest.json")):
            config = json.load(tar.extractfile(one["Config"]))
            below = ()
            for layer in one["Layers"]:
                key = (*below, layer)
                if key not in trees:
                    trees[key] = dict(trees[below])
                    with tarfile.open(fileobj=io.BytesIO(tar.extractfile(layer).read())) as inner:
                        apply(trees[key], inner)
                below = key
            for name in one["RepoTags"] or ():
                found[name.removeprefix("docker.io/library/")] = (config, trees[below])
    return found


def build(program, case, context, *more):
    """The result, and the seconds that it took."""
    flags = shlex.split(text_of(case, "flags").replace("@", str(context)))
    begin = time.monotonic()
    result = program("build", "--network", "none", "--progress", "plain", "-t", f"case-{case}:1", *flags, *more, context, timeout=120)
    return result, time.monotonic() - begin


def built(program, folder, cases, wanted=False):
    """{case: (configuration, files)}, and {case: why} of those that failed. WANTED: from `want`, where there is one."""
    def one(case):
        more = ("-f", CORPUS / case / "want") if wanted and text_of(case, "want") else ()
        return build(program, case, context_of(case, folder), *more)

    for case in cases:
        context_of(case, folder)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        results = dict(zip(cases, pool.map(one, cases)))
    for case in cases:
        print(f"{results[case][1]:6.2f} s  {case}")
    print(f"{sum(r[1] for r in results.values()):6.2f} s  all")
    good = [c for c in cases if results[c][0].code == 0]
    assert good, str(results[cases[0]][0])
    program.ok("save", "-o", folder / "images.tar", *(f"case-{c}:1" for c in good), timeout=120)
    images = images_of(folder / "images.tar")
    (folder / "images.tar").unlink()
    return {c: images[f"case-{c}:1"] for c in good}, {c: results[c][0].err for c in cases if c not in good}


def settings(config):
    run = {k: config["config"].get(k) or None for k in FIELDS}
    return {"config": run, "architecture": config["architecture"], "os": config["os"], "layers": len(config["rootfs"]["diff_ids"])}


def history(config):
    return [(h.get("created_by"), h.get("empty_layer", False), h.get("comment")) for h in config["history"]][1:]


def excuse(case):
    """What of the image is not compared."""
    return ("history: " if text_of(case, "want") else text_of(case, "differs")).split(":")[0]


def differences(case, ours, theirs):
    excused = excuse(case)
    found = []
    for name, got, want in (("files", ours[1], theirs[1]), ("config", settings(ours[0]), settings(theirs[0])),
                            ("history", history(ours[0]), history(theirs[0]))):
        if got == want or name in excused:
            continue
        if name == "files":
            got, want = ({n: a.get(n) for n in sorted({*a, *b}) if a.get(n) != b.get(n)} for a, b in ((got, want), (want, got)))
        found.append(f"{case}: {name}: kogge {str(got)[:1500]}\n  docker {str(want)[:1500]}")
    return found


def print_of(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def context_print(case):
    files = sorted(p for p in (CORPUS / case).rglob("*") if p.is_file() and p.name != "differs")
    return print_of([(str(p.relative_to(CORPUS)), p.read_bytes()) for p in files])


def recorded(case, image, base):
    """What is kept of an image: nothing of the base, whose busybox is that of the machine."""
    config, tree = image
    own = {n: v for n, v in tree.items() if base.get(n) != v and (v[4] == "" or (v[0], v[4]) not in {(b[0], b[4]) for b in base.values()})}
    return {"context": context_print(case), "files": print_of(sorted(own.items())), "config": print_of(settings(config)),
            "history": print_of(history(config))}


def agrees(case, ours, record, base):
    """Whether our image is the one that BuildKit made when the record was written."""
    mine = recorded(case, ours, base)
    excused = excuse(case)
    return record and all(mine[k] == record[k] for k in mine if k not in excused)


def docker_images(docker, busybox_tar, scratch, cases):
    # Debian's client has BuildKit's client in it; newer ones need a plugin.
    docker.env.update({"DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"})
    if "buildx component is missing" in docker("build", scratch).err:
        pytest.skip("docker's client has no BuildKit")
    try:
        docker.ok("import", "-c", "ENV PATH=/bin", "-c", "CMD sh", busybox_tar, "base:1")
        return built(docker, scratch, cases, wanted=True)
    finally:
        docker("rmi", "-f", "base:1", *(f"case-{c}:1" for c in cases))
        docker("builder", "prune", "-af")
        del docker.env["DOCKER_BUILDKIT"], docker.env["PATH"]


@pytest.mark.needs_docker
def test_the_corpus_is_built_as_buildkit_builds_it(kogge, docker, busybox_tar, scratch):
    cases = [c for c in CASES if text_of(c, "want") or not text_of(c, "only-kogge")]
    kogge.ok("import", "-c", "ENV PATH=/bin", "-c", "CMD sh", busybox_tar, "base:1")
    ours, failed = built(kogge, scratch, list(dict.fromkeys([*cases, "from-only"])))
    found = [f"{c}: kogge does not build it: {failed[c][-800:]}" for c in failed]
    base = ours["from-only"][1]
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    live = [c for c in cases if HOW or c in ALWAYS or c in ours and not agrees(c, ours[c], records.get(c), base)]
    theirs, refused = docker_images(docker, busybox_tar, scratch, live)
    found += [f"{c}: docker does not build it: {refused[c][-800:]}" for c in refused]
    for case in theirs:
        if case in ours:
            found += differences(case, ours[case], theirs[case])
    if HOW == "record":
        lines = (f"{json.dumps(c)}: {json.dumps(recorded(c, theirs[c], base))}" for c in sorted(theirs))
        RECORDS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    assert not found, "\n".join(found)


# -- Kogge alone ----------------------------------------------------------------------------------

@pytest.fixture
def make(box, scratch):
    """make(DOCKERFILE, {NAME: CONTENT}, FLAG...) builds image `made` of a context of its own."""
    count = iter(range(1000))

    def run(dockerfile, files=None, *flags, **options):
        folder = scratch / f"context{next(count)}"
        folder.mkdir()
        (folder / "Dockerfile").write_text(dockerfile)
        for name, content in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        return box("build", "--progress", "plain", "-t", "made", *flags, folder, **options)
    return run


def see(box, *command):
    return box.ok("run", "--rm", "--network", "none", "made", *command)


@pytest.mark.parametrize("case", [c for c in CASES if text_of(c, "only-kogge") and not text_of(c, "want")])
def test_contexts_that_docker_does_not_build(box, busybox_tar, scratch, case):
    box.ok("import", "-c", "ENV PATH=/bin", "-c", "CMD sh", busybox_tar, "base:1")
    context = context_of(case, scratch)
    result = build(box, case, context)[0]
    assert result.code == 0, str(result)


def test_a_second_build_takes_everything_from_the_cache(box, make):
    text = "FROM busybox\nCOPY a /\nRUN cat /proc/sys/kernel/random/uuid > /now\n"
    assert make(text, {"a": "1"}).code == 0
    first = see(box, "cat", "/now")
    again = make(text, {"a": "1"})
    assert again.err.count("CACHED") == 2 and see(box, "cat", "/now") == first
    changed = make(text, {"a": "2"})
    assert "CACHED" not in changed.err and see(box, "cat", "/now") != first
    assert "CACHED" not in make(text, {"a": "2"}, "--no-cache").err


def test_the_same_files_make_the_same_image(box, make):
    text = "FROM busybox\nWORKDIR /w\nCOPY a b/\nRUN mkdir /d && touch /d/f\n"
    ids = [make(text, {"a": "1"}, "-q", "--no-cache", env={"SOURCE_DATE_EPOCH": "1000000000"}).out for _ in range(2)]
    assert ids[0] == ids[1] != ""
    assert json.loads(box.ok("image", "inspect", "made"))[0]["Created"].startswith("2001-09-09T01:46:40Z")


def test_a_failure_shows_the_line_and_leaves_no_image(box, make):
    r = make("FROM busybox\nRUN echo before && exit 7\n")
    assert r.code == 1
    assert ">>> RUN echo before && exit 7" in r.err and "exit code: 7" in r.err and "before" in r.err
    assert box("image", "inspect", "made").code == 1
    assert box("system", "check").code == 0


def test_what_was_complete_before_a_failure_is_reused(make):
    make("FROM busybox\nRUN echo one\nRUN false\n")
    assert "CACHED" in make("FROM busybox\nRUN echo one\nRUN true\n").err


@pytest.mark.parametrize("text,message", [
    ("FROM busybox\nCOPY gone /\n", '"/gone": not found'),
    ("FROM busybox\nCOPY ../x /\n", '"/x": not found'),
    ("FROM busybox\nCOPY --parents Dockerfile a/gone /\n", '"/a/gone": not found'),
    ("FROM busybox\nCOPY --parents gone/./*.c /\n", '"/gone": not found'),
    ("FROM busybox\nCOPY --parents Dockerfile/./x /\n", "not found"),
    ("FROM busybox\nCOPY --from=none:1 / /\n", "none"),
    ("FROM nowhere:1\n", "nowhere:1"),
    ("FROM busybox\nFRON x\n", "FRON"),
    ("FROM busybox AS a\nCOPY --from=b / /\nFROM a AS b\n", "b"),
    ("FROM busybox\nRUN --mount=type=secret,id=s,required cat /run/secrets/s\n", "secret s"),
    ("FROM busybox\nADD http://127.0.0.1:1/x /\n", ""),
])
def test_bad_input_is_named(make, text, message):
    r = make(text)
    assert r.code == 1 and message in r.err and "Dockerfile:" in r.err or message == "nowhere:1"


def test_B17_a_secret_is_nowhere_afterwards(box, make, scratch):
    (scratch / "secret").write_text("correct-horse-battery\n")
    r = make("FROM busybox\nRUN --mount=type=secret,id=s cp /run/secrets/s /tmp/x && wc -c < /tmp/x && rm /tmp/x\n"
             "RUN --mount=type=secret,id=s,env=S test ${#S} -gt 20\n", None, "--secret", f"id=s,src={scratch}/secret")
    assert r.code == 0, str(r)
    found = subprocess.run(["grep", "-rl", "correct-horse-battery", box.root, box.run_root], stdout=subprocess.PIPE, check=False)
    assert found.stdout == b"" and "correct-horse" not in r.err


def test_B01_a_cache_mount_source_is_no_link(make):
    first = make("FROM busybox\nRUN --mount=type=cache,id=x,target=/c ln -s /etc /c/sel\n")
    assert first.code == 0, str(first)
    r = make("FROM busybox\nRUN --mount=type=cache,id=x,target=/m,source=sel ls /m\n")
    assert r.code == 1 and "cache 'x'" in r.err


def test_B02_the_place_of_a_mount_is_not_removed_through_a_link(box, make, canary):
    make(f"FROM busybox\nRUN --mount=type=cache,target=/a/b umount /a/b; rm -rf /a; ln -s {canary} /a; true\n")
    assert (canary / "empty").is_dir() and (canary / "file").exists()


def test_B05_a_bind_mount_from_a_stage_stays_in_the_stage(make, canary):
    r = make("FROM busybox AS s\nRUN ln -s / /rootdir\nFROM busybox\n"
             f"RUN --mount=type=bind,from=s,source=/rootdir,target=/m ls /m/bin && ! ls /m{canary}\n")
    assert r.code == 0, str(r)


@pytest.mark.parametrize("name", ["../../../../tmp/x", "/etc", "a/b", "..", "x" * 5000])
def test_B06_the_id_of_a_cache_is_no_path(make, name):
    assert make(f"FROM busybox\nRUN --mount=type=cache,id={name},target=/c touch /c/x\n").code == 0


def test_B16_what_is_left_out_is_seen_by_nobody(make):
    r = make("FROM busybox\nRUN --mount=type=bind,target=/ctx ls -a /ctx > /list\nCOPY . /x/\nRUN ! ls /x/hidden && ! grep hidden /list\n",
             {"hidden": "1", "seen": "2", ".dockerignore": "hidden\n"})
    assert r.code == 0, str(r)


def test_B19_a_step_has_the_isolation_of_run(box, make):
    probe = "grep -E 'Cap|Seccomp|NoNewPrivs' /proc/self/status; ls /sys/class/net; cat /proc/kcore 2>&1 | wc -c; cat /proc/1/comm"
    r = make(f"FROM busybox\nRUN ({probe}) > /seen\n", env={"HOST_SECRET": "1"})
    assert r.code == 0, str(r)
    assert see(box, "cat", "/seen") == box.ok("run", "--rm", "--network", "none", "busybox", "sh", "-c", f"({probe})")


def test_a_context_of_odd_files(box, make, scratch):
    folder = scratch / "odd"
    (folder / "d").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM busybox\nCOPY . /x/\n")
    subprocess.run(["sh", "-c", "mkfifo fifo; ln -s /etc/shadow out; ln -s loop loop; printf x > \"$(printf 'bad\\377name')\";"
                    "printf x > '\n'; touch secret; chmod 000 secret; busybox nc -h 2>/dev/null; :"], cwd=folder, check=True)
    r = box("build", "-q", "-t", "made", folder)
    assert r.code == 0, str(r)
    assert see(box, "sh", "-c", "ls /x | wc -l; readlink /x/out").split()[-1] == "/etc/shadow"


def test_stdin_gives_a_dockerfile_or_an_archive(box, scratch):
    assert box("build", "-t", "made", "-", input="FROM busybox\nRUN touch /only\n").code == 0
    assert "only" in see(box, "ls", "/")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in (("Dockerfile", b"FROM busybox\nCOPY f /\n"), ("f", b"packed")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    r = box("build", "-t", "made", "-", input=data.getvalue())
    assert r.code == 0, str(r)
    assert see(box, "cat", "/f") == "packed"
    r = box("build", "-f", "-", scratch, input="FROM busybox\nLABEL from=stdin\n")
    assert r.code == 0, str(r)


def test_B11_an_archive_does_not_write_through_its_links(box, canary):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        link = tarfile.TarInfo("Dockerfile")
        link.type, link.linkname = tarfile.SYMTYPE, str(canary / "file")
        tar.addfile(link)
        info = tarfile.TarInfo("Dockerfile/x")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    r = box("build", "-t", "made", "-", input=data.getvalue())
    assert r.code == 1
    assert (canary / "file").read_text() == "canary\n"


@pytest.mark.parametrize("sources, wanted", [
    ("./x/a.txt y/b.txt", "x/ x/a.txt y/ y/b.txt"),
    ("x/./sub/*.txt", "sub/ sub/s.txt"),
    ("./x/./sub", "sub/ sub/s.md sub/s.txt"),
    ("/x/sub/./s.md", "s.md"),
    ("**/*.txt", "x/ x/a.txt x/sub/ x/sub/s.txt y/ y/b.txt"),
    ("*/*.txt #h !n", "#h !n x/ x/a.txt y/ y/b.txt"),
    ("x/*/./*.md none/*", "s.md"),
    ("--exclude=**/s.* x", "x/ x/a.txt x/sub/"),
])
def test_copy_with_parents(make, scratch, sources, wanted):
    files = {name: name for name in ("x/a.txt", "x/sub/s.txt", "x/sub/s.md", "y/b.txt", "z/c.md", "#h", "!n")}
    r = make(f"FROM scratch\nCOPY --parents {sources} /to/\n", files, "--output", f"type=tar,dest={scratch}/out.tar")
    assert r.code == 0, str(r)
    with tarfile.open(scratch / "out.tar") as tar:
        found = {m.name + "/" * m.isdir() for m in tar if m.name != "to"}
    assert found == {"to/" + name for name in wanted.split()}


def test_files_that_are_asked_for_are_written(box, make, scratch):
    r = make("FROM busybox\nLABEL x=y\n", None, "-q", "--iidfile", scratch / "id", "--metadata-file", scratch / "meta", "-t", "other:2")
    assert r.code == 0 and r.out.strip() == (scratch / "id").read_text()
    assert json.loads((scratch / "meta").read_text())["containerimage.config.digest"] == r.out.strip()
    assert box.ok("images", "-q", "--no-trunc", "other:2").strip() == r.out.strip()


def test_B21_a_killed_build_leaves_nothing_and_the_next_is_right(box, scratch):
    folder = scratch / "killed"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo 1 > /1\nCOPY f /\nRUN echo 2 > /2; echo ready; sleep 0.2\nRUN echo 3 > /3\n")
    (folder / "f").write_text("f" * 100000)
    seed = int(os.environ.get("KOGGE_FAULT_SEED", random.randrange(1 << 30)))
    print("KOGGE_FAULT_SEED", seed)
    moments = random.Random(seed)
    for _ in range(4 if program.SANITIZED else 10):
        process = subprocess.Popen(box.args("build", "--no-cache", folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(moments.uniform(0, 0.5))
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
    r = box("build", "-t", "made", folder)
    assert r.code == 0, str(r)
    assert see(box, "sh", "-c", "cat /1 /2 /3; wc -c < /f").split() == ["1", "2", "3", "100000"]
    assert box("system", "check").code == 0
    end = time.monotonic() + 30
    while list((box.run_root / "builds").glob("*")):
        assert time.monotonic() < end, "run directories of steps were left"
        select.select([], [], [], 0.02)


def test_add_unpacks_archives(box, make, scratch):
    folder = scratch / "archives"
    (folder / "in" / "d").mkdir(parents=True)
    (folder / "in" / "d" / "f").write_text("packed")
    for name, flag in (("a.tar", ""), ("b.tgz", "z"), ("c.bin", "z"), ("d.xz", "J")):
        subprocess.run(["tar", f"-c{flag}f", folder / name, "-C", folder / "in", "."], check=True)
    (folder / "e.gz").write_bytes(gzip.compress(b"no archive"))
    (folder / "Dockerfile").write_text("FROM busybox\nADD a.tar /1\nADD b.tgz /2/\nADD c.bin /3/\nADD d.xz /4/\nADD e.gz /5/\n"
                                       "ADD --chown=7:8 a.tar /6\nCOPY a.tar /7/\n")
    r = box("build", "-t", "made", folder)
    assert r.code == 0, str(r)
    assert see(box, "sh", "-c", "cat /1/d/f /2/d/f /3/d/f /4/d/f; ls /5 /7; stat -c %u:%g /6/d/f").split() == [
        "packed" * 4 + "/5:", "e.gz", "/7:", "a.tar", "7:8"]


def test_a_file_of_the_same_size_and_time_is_another_where_it_says_something_else(box, scratch):
    context = scratch / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo one > /f && touch -d @1000000000 /f\n"
                                        "RUN echo two > /f && touch -d @1000000000 /f\n")
    box.ok("build", "-t", "made", context)
    assert see(box, "cat", "/f") == "two\n"


def test_from_an_id(box, make):
    """BuildKit knows names alone. An ID works where it is one that lists show: a shorter one could
    mean any image, and another one tomorrow."""
    whole = box.ok("inspect", "-f", "{{.Id}}", "busybox").strip().removeprefix("sha256:")
    for ref in ("sha256:" + whole, whole, whole[:12]):
        assert make(f"FROM {ref}\nLABEL a={len(ref)}\n").code == 0, ref
    for ref in (whole[0], whole[:11]):
        r = make(f"FROM {ref}\n")
        assert r.code == 1 and ref in r.err, str(r)
