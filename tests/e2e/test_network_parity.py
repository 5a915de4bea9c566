# SPDX-License-Identifier: Apache-2.0
"""The same commands about networks given to Docker, in a network namespace of their own: the same exit codes, the same output
where they succeed, a message where they fail."""
import re
import subprocess

import pytest
from harness import docker as harness_docker
from harness import program

pytestmark = pytest.mark.needs_root

INSPECT = "{{.Name}} {{.Driver}} {{json .Labels}} {{.Internal}} {{.Attachable}} {{.EnableIPv6}} {{.IPAM.Driver}} {{json .ConfigFrom}}"
ADDRESSES = ("{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}} {{$v.Gateway}} {{$v.IPPrefixLen}} "
             "{{with $v.IPAMConfig}}{{.IPv4Address}}{{end}};{{end}}")
RUN = ["run", "--rm"]

COMMANDS = [
    "network create n1", "network create n1", "network create --subnet 10.77.0.0/24 --gateway 10.77.0.1 n2",
    "network create --subnet 10.77.0.128/25 n3", "network create --subnet 10.78.0.0/24 --gateway 10.79.0.1 n4",
    "network create --driver nosuch n5", "network create -o com.docker.network.bridge.name=n1veryveryverylongname n6",
    "network create bridge", "network create host", "network create none", ["network", "create", ""], "network create --subnet no n7",
    "network create --subnet 10.80.0.0/24 --ip-range 10.80.0.128/25 --gateway 10.80.0.1 n8",
    "network create --aux-address a=10.80.0.5 n9", "network create --internal --label a=b --label c n10",
    "network ls --format {{.Name}}:{{.Driver}}:{{.Scope}}:{{.IPv6}}:{{.Internal}}:{{.Labels}}", "network ls",
    "network ls --no-trunc", "network ls -q", "network ls --filter driver=bridge", "network ls --filter type=custom",
    "network ls --filter type=builtin", "network ls --filter dangling=true", "network ls --filter dangling=false",
    "network ls --filter label=a", "network ls --filter label=a=x", "network ls --filter name=n1", "network ls --filter scope=local",
    "network ls --filter nosuch=a", "network ls --filter type=x", "network inspect nope", "network inspect n1 nope",
    ["network", "inspect", "-f", INSPECT, "n2", "n10", "bridge", "host", "none"],
    ["network", "inspect", "-f", "{{json .IPAM.Config}}", "n2", "n8", "host"],
    "run -d --name one --network n2 busybox sleep 1000", "network inspect -f {{len(.Containers)}} n2",
    ["network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}", "n2"], "network rm n2",
    "network connect n8 one", "network connect n8 one", "network connect nope one", "network connect n1 nope",
    "network connect --ip 10.77.0.9 n1 one", "network connect host one", "network connect none one",
    ["inspect", "-f", ADDRESSES, "one"], "network disconnect n8 one", "network disconnect n8 one", "network disconnect nope one",
    "network disconnect n1 nope", "network disconnect host one", "network connect --ip 10.80.0.200 --alias x n8 one",
    ["inspect", "-f", ADDRESSES, "one"], "network rm", "network rm nope n10", "network rm bridge", "network rm host",
    "network prune -f --filter until=24h", "network prune -f --filter label!=a", "network prune -f --filter nosuch=b", "network connect",
    "network disconnect one", "network inspect",
    [*RUN, "--network", "nope", "busybox", "true"], [*RUN, "--network", "n2", "--ip", "10.77.0.200", "busybox", "true"],
    [*RUN, "--network", "n2", "--ip", "10.99.0.200", "busybox", "true"], [*RUN, "--network", "n2", "--ip", "no", "busybox", "true"],
    [*RUN, "--network", "bridge", "--ip", "172.17.0.200", "busybox", "true"],
    [*RUN, "--network", "host", "--ip", "10.99.0.200", "busybox", "true"], [*RUN, "--mac-address", "no", "busybox", "true"],
    [*RUN, "--network", "host", "-p", "80:80", "busybox", "true"], [*RUN, "-p", "80:80:80:80", "busybox", "true"],
    [*RUN, "-p", "99999:80", "busybox", "true"], [*RUN, "-p", "80:80/no", "busybox", "true"],
    [*RUN, "-p", "80-81:80-85", "busybox", "true"], [*RUN, "-p", "a:80", "busybox", "true"],
    [*RUN, "--network", "container:nope", "busybox", "true"], [*RUN, "--network", "container:one", "-p", "80:80", "busybox", "true"],
    [*RUN, "--network", "container:one", "--hostname", "x", "busybox", "true"], [*RUN, "--add-host", "no", "busybox", "true"],
    [*RUN, "--dns", "no", "busybox", "true"], [*RUN, "--expose", "no", "busybox", "true"], "port nope", "port one", "port one 80",
    "run -d --name two --network n2 -p 127.0.0.1:8080:80 -p 8081:81/udp busybox sleep 1000", "port two 80", "port two 81/udp",
    "port two 82", [*RUN, "-p", "127.0.0.1:8080:80", "busybox", "true"],
    [*RUN, "--network", "container:two", "busybox", "sh", "-c", "ls /sys/class/net | sort"],
    "stop -t 0 two", "port two", "network disconnect n2 two", "start two", "rm -f two", "rm -f one", "network rm n1 n2 n8",
]


@pytest.fixture
def namespace():
    """A command line before others that runs them in one network namespace of their own."""
    holder = subprocess.Popen(["unshare", "-n", "-m", "--propagation", "private", "sh", "-c", "ip link set lo up; echo; exec sleep 1000"],
                              stdout=subprocess.PIPE)
    holder.stdout.readline()
    yield ["nsenter", "-t", str(holder.pid), "-n", "-m"]
    holder.kill()
    holder.wait()


def plain(text):
    """Docker carries what comes by IPv6 to a container without IPv6 through a process (docs/design/0092-rules.md)."""
    text = re.sub(r"^\[::\]:.*\n", "", text, flags=re.M)
    return re.sub(r"\b[0-9a-f]{12}\b", "ID", re.sub(r"\b[0-9a-f]{64}\b", "ID64", text)).replace("docker0", "ID")


@pytest.mark.timeout(300)
def test_networks_as_docker_has_them(box, namespace, scratch, busybox_tar):
    why = program.SANITIZED and "beside other programs it is tested without sanitizers" or harness_docker.missing()
    if why:
        pytest.skip(why)
    theirs = harness_docker.Docker(scratch / "docker", network=True, prefix=namespace).wait()
    try:
        theirs.ok("import", busybox_tar, "busybox")
        box.network = None
        wrong = []
        for command in COMMANDS:
            words = command.split() if isinstance(command, str) else command
            a, b = program.run([*namespace, *box.args(*words)]), theirs(*words)
            if a.code != b.code or (b.code == 0 and plain(a.out) != plain(b.out)) or (b.code and not a.err):
                wrong.append(f"{words}\n-- kogge: {a.code}\n{a.out}{a.err}-- docker: {b.code}\n{b.out}{b.err}")
        assert not wrong, "\n".join(wrong)
    finally:
        theirs.stop()
        for word in ("one", "two"):
            program.run([*namespace, *box.args("rm", "-f", word)])
        program.run([*namespace, *box.args("network", "prune", "-f")])
