# SPDX-License-Identifier: Apache-2.0
"""A database server in a container, its data in a volume: what was committed outlives kill -9, rm and everything else but the
volume. The image is Debian with its own package, made once."""
import os
import signal
import subprocess

import pytest

from harness import images, program

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.network,
              pytest.mark.skipif(program.SANITIZED, reason="a whole server is tried without sanitizers")]
DATA = "/var/lib/postgresql"
ROWS = 20000


@pytest.fixture(scope="module")
def store(session_folder):
    path, reason = images.debian("postgresql", ["postgresql"])
    if not path:
        pytest.skip(reason)
    kogge = program.Kogge(session_folder / "postgresql")
    kogge.folder.mkdir()
    kogge.ok("import", path, "postgresql", timeout=600)
    return kogge


@pytest.fixture
def server(store, host_unchanged):
    yield store
    store("rm", "-f", "db")
    store("volume", "prune", "-af")


def start(kogge, *options):
    """Starts the server as its package sets it up: the cluster in the volume was made when the package was installed."""
    kogge.ok("run", "-d", "--name", "db", "-v", f"pgdata:{DATA}", "--shm-size", "128m", *options, "postgresql", "sh", "-c",
             "mkdir -p /run/postgresql; chown postgres: /run/postgresql;"
             " v=$(ls /usr/lib/postgresql);"
             " exec setpriv --reuid=postgres --regid=postgres --init-groups"
             f" /usr/lib/postgresql/$v/bin/postgres -D {DATA}/$v/main -c config_file=/etc/postgresql/$v/main/postgresql.conf")
    # pg_isready asks once; the server's own wait is psql's, which is told to try for a minute.
    kogge.ok("exec", "db", "sh", "-c", "for i in $(seq 600); do pg_isready -q -h /run/postgresql && exit 0; read -t 0.1 x <>/dev/zero ||"
             " perl -e 'select undef,undef,undef,0.1'; done; exit 1", timeout=120)


def sql(kogge, text):
    return kogge.ok("exec", "-u", "postgres", "db", "psql", "-qtAX", "-v", "ON_ERROR_STOP=1", "-c", text, timeout=120).strip()


def test_a_server_in_a_volume_outlives_rm_and_kill(server):
    start(server)
    sql(server, "CREATE TABLE t(id int PRIMARY KEY, word text)")
    sql(server, f"INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, {ROWS}) i")
    # The program, by its own signal.
    server.ok("kill", "-s", "KILL", "db")
    server.ok("wait", "db")
    server.ok("rm", "db")
    start(server)
    assert sql(server, "SELECT count(*) FROM t") == str(ROWS)
    # In the middle of a transaction: it never was; what was committed before is there.
    sql(server, f"INSERT INTO t VALUES ({ROWS + 1}, 'committed')")
    writing = server.popen("exec", "-u", "postgres", "db", "psql", "-qX", "-c",
                           f"INSERT INTO t SELECT i, md5(i::text) FROM generate_series({ROWS + 2}, {ROWS * 1000}) i",
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Every process of the container and its monitor at once.
    pid = server.inspect("db")["State"]["Pid"]
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        monitor = int(f.read().rsplit(")", 1)[1].split()[1])
    os.kill(monitor, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    writing.wait(60)
    server.ok("rm", "-f", "db")
    assert server.ok("ps", "-aq") == ""
    assert server.ok("volume", "ls", "-q") == "pgdata\n"
    start(server)
    assert sql(server, f"SELECT count(*), max(id) FROM t") == f"{ROWS + 1}|{ROWS + 1}"
    assert sql(server, "SELECT word FROM t ORDER BY id DESC LIMIT 1") == "committed"
    # An orderly stop, and a container that is only restarted.
    server.ok("stop", "-t", "60", "-s", "INT", "db", timeout=90)
    server.ok("rm", "-v", "db")
    start(server, "--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp")
    assert sql(server, "SELECT count(*) FROM t") == str(ROWS + 1)
    server.ok("rm", "-f", "db")
    server.ok("volume", "rm", "pgdata")
    assert "0 damaged, 0 unused" in server.ok("system", "check", "--quick")


def test_the_volume_has_what_the_package_made(server):
    """The content of the image, with its owners: PostgreSQL refuses a cluster that is anybody else's or readable by others."""
    server.ok("run", "--rm", "-v", f"pgdata:{DATA}", "postgresql", "true")
    out = server.ok("run", "--rm", "-v", f"pgdata:{DATA}", "postgresql", "sh", "-c", f"stat -c '%U %a' {DATA}/*/main; stat -c '%U %a' {DATA}")
    assert out.split() == ["postgres", "700", "postgres", "755"]
