# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts where, and that the installed programs find each other."""
import os
import re
import shutil
import subprocess

import pytest

from harness import program

pytestmark = pytest.mark.timeout(420)  # the first one builds what is to be installed
HELPERS = ("kogge-stage", "kogge-monitor", "kogge-init", "kogge-unpack", "kogge-remote")


@pytest.fixture(scope="module")
def installed(session_folder):
    if program.SANITIZED:
        pytest.skip("the build with sanitizers is not installed")
    stage = session_folder / "stage"
    subprocess.run(["make", "-s", "-C", program.TOP, "install", f"DESTDIR={stage}", "PREFIX=/usr/local"], check=True,
                   stdout=subprocess.DEVNULL)
    return stage / "usr" / "local"


def built():
    return {p.name for p in program.PROGRAMS.glob("kogge*") if p.is_file() and os.access(p, os.X_OK)}


def test_users_programs_are_in_bin_and_helpers_in_libexec(installed):
    found = {p.name for p in (installed / "bin").glob("*")} if (installed / "bin").exists() else set()
    helpers = {p.name for p in (installed / "libexec/kogge").glob("*")} if (installed / "libexec/kogge").exists() else set()
    assert helpers == built() & set(HELPERS)
    assert found == built() - set(HELPERS)


def test_licence_and_readme_are_installed(installed):
    assert (installed / "share/doc/kogge/LICENSE").exists()
    assert (installed / "share/doc/kogge/README.md").exists()


@pytest.mark.needs_root
def test_installed_kogge_runs_a_container(installed, box):
    box.program = installed / "bin" / "kogge"
    assert box.ok("run", "--rm", "--network", "none", "busybox", "echo", "hello") == "hello\n"


def test_every_verb_has_a_manual_page(installed):
    paths = subprocess.run([installed / "bin" / "kogge", "__man"], check=True, text=True, stdout=subprocess.PIPE).stdout
    wanted = {"-".join(path.split()) + ".1" for path in paths.splitlines()}
    assert "kogge-run.1" in wanted
    assert {p.name for p in (installed / "share/man/man1").glob("*")} == wanted


def test_every_verb_of_the_runtime_is_on_its_manual_page(installed):
    text = subprocess.run([installed / "bin" / "kogge-runtime", "--help"], check=True, text=True, stdout=subprocess.PIPE).stdout
    page = (installed / "share/man/man8/kogge-runtime.8").read_text(encoding="utf-8")
    verbs = re.findall(r"^  (\w+) ", text, re.M)
    assert "create" in verbs
    assert [verb for verb in verbs if f"\n\\fB{verb}\\fR" not in page] == []


def test_the_unit_starts_the_installed_program_at_boot(installed):
    unit = (installed / "lib/systemd/system/kogge.service").read_text(encoding="utf-8")
    assert "\nExecStart=/usr/local/bin/kogge __boot\n" in unit and "KillMode=process" in unit
    assert "\nExecStop=/usr/local/bin/kogge __halt\n" in unit


def test_systemd_understands_the_unit(installed, scratch):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    unit = scratch / "kogge.service"
    text = (installed / "lib/systemd/system/kogge.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/usr/local/bin/kogge", str(installed / "bin" / "kogge")), encoding="utf-8")
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (said.returncode, "kogge.service" in said.stdout) == (0, False), said.stdout
