# SPDX-License-Identifier: Apache-2.0
"""Events by web hook, warnings, and tags that nobody pulls, of kogge-registry."""
import http.server
import json
import os
import queue
import signal
import threading
import time

import pytest

from harness import program


class Hook(http.server.ThreadingHTTPServer):
    """Takes events; answers with STATUS."""
    status = 200

    def __init__(self):
        self.seen, self.tries, self.headers = queue.Queue(), queue.Queue(), {}
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.tries.put(body)
                hook.headers = self.headers
                status = hook.status
                if status == 200:  # before the answer, after which the next one may come
                    hook.seen.put(json.loads(body)["events"][0])
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook?a=b"

    def next(self):
        return self.seen.get(timeout=60)


@pytest.fixture
def hook():
    server = Hook()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def configured(scratch, make_registry):
    def start(**fields):
        (scratch / "config.json").write_text(json.dumps(fields))
        return make_registry("--config", scratch / "config.json")
    return start


def test_pushes_pulls_and_deletions_are_told_in_order(configured, hook, scratch):
    (scratch / "secret").write_text("Bearer secret\n")
    registry = configured(events=[{"url": hook.url, "repositories": "a/*", "actions": ["push", "pull", "delete"],
                                   "authorizationFile": str(scratch / "secret")}])
    registry.push_image("other", "t")
    digest = registry.push_image("a/b", "t")
    registry.request("HEAD", "/v2/a/b/manifests/t")
    registry.request("GET", "/v2/a/b/manifests/t")
    registry.request("DELETE", f"/v2/a/b/manifests/{digest}")
    told = [hook.next() for _ in range(3)]
    assert [e["action"] for e in told] == ["push", "pull", "delete"]
    assert all(e["target"]["repository"] == "a/b" and e["target"]["digest"] == digest for e in told)
    assert told[0]["target"]["tag"] == "t" and told[0]["request"]["addr"] == "127.0.0.1"
    assert len({e["id"] for e in told}) == 3
    assert hook.headers["Authorization"] == "Bearer secret"
    assert "kogge_registry_events_total{end=\"lost\"} 0" in registry.request("GET", "/metrics").body.decode()


def test_a_hook_that_fails_holds_no_push_up_and_loses_no_event(configured, hook):
    hook.status = 503
    registry = configured(events=[{"url": hook.url}])
    pushed = [registry.push_image("a", f"t{i}", layers=(b"%d" % i,)) for i in range(5)]
    hook.tries.get(timeout=60)
    hook.status = 200
    assert [hook.next()["target"]["digest"] for _ in range(5)] == pushed
    assert hook.tries.qsize() >= 5


def test_a_queue_is_bounded_and_the_server_ends_although_nobody_listens(configured):
    registry = configured(events=[{"url": "http://127.0.0.1:1/", "queue": 2}])
    for i in range(5):
        registry.push_image("a", f"t{i}", layers=(b"%d" % i,))
    assert "kogge_registry_events_total{end=\"lost\"} 3" in registry.request("GET", "/metrics").body.decode()
    registry.stop(signal.SIGTERM)


def test_what_was_not_told_is_told_by_the_next_server(configured, hook):
    hook.status = 503
    registry = configured(events=[{"url": hook.url}, {"url": hook.url.replace("hook", "other")}])
    pushed = [registry.push_image("a", f"t{i}", layers=(b"%d" % i,)) for i in range(5)]
    hook.tries.get(timeout=60)
    registry.stop(signal.SIGTERM)
    kept = list((registry.root / "events").iterdir())
    assert len(kept) == 2 and all(p.read_text().count("\n") == 6 for p in kept)
    (registry.root / "events/0-damaged").write_bytes(b"\0" * 5000)
    hook.status = 200
    registry.start()
    told = [hook.next()["target"]["digest"] for _ in range(10)]
    assert sorted(told) == sorted(2 * pushed)
    registry.stop(signal.SIGTERM)
    assert [p.name for p in (registry.root / "events").iterdir()] == ["0-damaged"]


def test_warnings_come_with_the_repositories_they_are_for(configured):
    registry = configured(warnings=[{"repositories": "old/**", "text": "moves to new/ in May"}])
    registry.push_image("old/a", "t")
    registry.push_image("new/a", "t")
    for path in ("old/a/manifests/t", "old/a/tags/list", "old/a/manifests/none"):
        assert registry.request("GET", f"/v2/{path}").headers["Warning"] == '299 - "moves to new/ in May"'
    assert "Warning" not in registry.request("GET", "/v2/new/a/manifests/t").headers


def age(registry, key, hours):
    then = time.time() - 3600 * hours
    os.utime(registry.root / key, (then, then))


def collect(registry, scratch, *args):
    result = program.run([program.PROGRAMS / "kogge-registry", "collect", "--root", registry.root, "--config",
                          scratch / "config.json", *args])
    assert result.code == 0, result
    return [line for line in result.out.splitlines() if "_tags" in line]


def test_tags_that_nobody_pulls_go_and_the_preview_equals_the_deed(configured, scratch):
    registry = configured(lifecycle=[{"repositories": "ci/*", "notPulledFor": "240h"}])
    digests = {tag: registry.push_image("ci/a", tag, layers=(tag.encode(),)) for tag in ("new", "used", "unused")}
    registry.push_image("other", "unused")
    for tag in ("used", "unused"):
        age(registry, f"repositories/ci/a/_tags/{tag}", 1000)
    age(registry, "repositories/other/_tags/unused", 1000)
    assert collect(registry, scratch) == []  # pulls before it began to note them are not known
    age(registry, "pulls", 1000)
    for _ in range(2):
        registry.request("GET", f"/v2/ci/a/manifests/{digests['used']}")
    pulled = registry.root / "repositories/ci/a/_pulled/sha256"
    assert [p.name for p in pulled.iterdir()] == [digests["used"][7:]]
    preview = collect(registry, scratch, "--dry-run")
    assert preview == ["repositories/ci/a/_tags/unused"]
    assert collect(registry, scratch) == preview
    assert registry.request("GET", "/v2/ci/a/tags/list").json["tags"] == ["new", "used"]
    age(registry, pulled.relative_to(registry.root) / digests["used"][7:], 1000)
    assert collect(registry, scratch) == ["repositories/ci/a/_tags/used"]
    assert registry.request("DELETE", f"/v2/ci/a/manifests/{digests['used']}").status == 202
    assert not list(pulled.iterdir())


def test_what_a_killed_writer_left_goes_when_it_is_old(registry):
    registry.push_image("a", "t")
    folders = ("uploads", "repositories/a/_tags", "repositories/a/_manifests/sha256")
    for folder in folders:
        for name in (".tmp-0123456789abcdef", ".tmp-young"):
            (registry.root / folder / name).write_bytes(b"half")
        age(registry, f"{folder}/.tmp-0123456789abcdef", 2)
    program.run([program.PROGRAMS / "kogge-registry", "collect", "--root", registry.root])
    program.run([program.PROGRAMS / "kogge-registry", "scrub", "--root", registry.root])
    for folder in folders:
        assert [p.name for p in (registry.root / folder).iterdir() if p.name.startswith(".")] == [".tmp-young"]
