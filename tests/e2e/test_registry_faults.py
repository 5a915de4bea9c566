# SPDX-License-Identifier: Apache-2.0
"""kogge-registry is killed and its disk fails while clients push: what was acknowledged is there and
whole, the rest is not (F01, F03, F12, R11, R14 of docs/SECURITY.md)."""
import http.client
import os
import random
import signal
import threading

import pytest

from harness import program
from harness.registry import digest_of

ROUNDS = int(os.environ.get("KOGGE_FAULT_ROUNDS", "5" if program.SANITIZED else "20"))
BROKEN = (http.client.HTTPException, OSError, AssertionError)


def check_all(registry, pushed):
    """Every acknowledged tag is there with its layer, and scrub finds nothing."""
    for (name, tag), (digest, layer) in pushed.items():
        assert registry.request("HEAD", f"/v2/{name}/manifests/{tag}").headers["Docker-Content-Digest"] == digest
        assert registry.request("GET", f"/v2/{name}/blobs/{digest_of(layer)}").body == layer
    result = program.run([program.PROGRAMS / "kogge-registry", "scrub", "--root", registry.root])
    assert result.code == 0, result


@pytest.mark.timeout(300)
def test_F01_kills_at_random_moments_lose_nothing_that_was_acknowledged(registry):
    pushed, ends = {}, threading.Event()

    def work(number):
        count = 0
        while not ends.is_set():
            layer = os.urandom(random.randrange(1, 200000))
            try:
                pushed[f"r{number}", f"t{count}"] = registry.push_image(f"r{number}", f"t{count}", layers=(layer,)), layer
                count += 1
            except BROKEN:
                ends.wait(0.001)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(ROUNDS):
            seen = len(pushed)
            while len(pushed) == seen:
                ends.wait(random.random() * 0.02)
            registry.stop(signal.SIGKILL)
            registry.start()
    finally:
        ends.set()
        for worker in workers:
            worker.join()
    assert len(pushed) > 5
    check_all(registry, pushed)


PLACES = ("registry.put.before_write", "registry.upload.write", "registry.upload.before_sync", "registry.upload.before_rename")


@pytest.mark.parametrize("action", ["error(ENOSPC)", "error(EIO)", "kill"])
@pytest.mark.parametrize("place", PLACES)
def test_F03_a_fault_at_the_nth_place(make_registry, place, action):
    registry = make_registry()
    pushed = {("a", "before"): (registry.push_image("a", "before"), b"layer")}
    registry.stop()
    for nth in (1, 3):
        registry.env = {"KOGGE_FAILPOINTS": f"{place}={action}@{nth}*1"}
        registry.start()
        layer = b"%s %d" % (place.encode(), nth)
        try:
            pushed["a", f"t{nth}"] = registry.push_image("a", f"t{nth}", layers=(layer,)), layer
        except BROKEN:
            pass
        registry.stop(signal.SIGKILL if action == "kill" else signal.SIGTERM)
        registry.env = {}
        registry.start()
        check_all(registry, pushed)
        pushed["a", f"t{nth}"] = registry.push_image("a", f"t{nth}", layers=(layer,)), layer
        registry.stop()
    registry.start()
    check_all(registry, pushed)


def test_F13_servers_of_one_directory_see_what_the_others_took(registry, make_registry):
    """Several servers may serve one directory, for availability: all of them write."""
    other = make_registry()
    other.stop()
    other.root = registry.root
    other.start()
    both, pushed = (registry, other), {}

    def work(number):
        for i in range(10):
            layer = os.urandom(1000)
            pushed[f"r{i % 2}", f"t{number}-{i}"] = both[number].push_image(f"r{i % 2}", f"t{number}-{i}", layers=(layer,)), layer
            both[number].push_image("same", "latest", layers=(layer,))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(pushed) == 20
    check_all(registry, pushed)
    check_all(other, pushed)
    assert len({r.request("HEAD", "/v2/same/manifests/latest").headers["Docker-Content-Digest"] for r in both}) == 1
