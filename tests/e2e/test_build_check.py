# SPDX-License-Identifier: Apache-2.0
"""`kogge build --check`: files, rules, places, exit codes. The rules one by one are in
src/dockerfile/test-lint.c."""
import os

import pytest

GOOD = "FROM scratch\nCOPY a /\nENTRYPOINT [\"/a\"]\n"


@pytest.fixture
def context(tmp_path):
    def write(dockerfile=GOOD, **files):
        (tmp_path / "Dockerfile").write_text(dockerfile)
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        return str(tmp_path)
    return write


def test_a_good_file_has_nothing_to_say(kogge, context):
    assert kogge("build", "--check", context()).out == "Check complete, no warnings found.\n"
    assert kogge("image", "build", "--call=check", context()).code == 0


def test_a_warning_shows_rule_and_place(kogge, context):
    r = kogge("build", "--check", context("FROM scratch\nENV a b\nCMD x\n"))
    assert r.code == 1 and r.err == ""
    assert r.out.startswith("Check complete, 2 warnings have been found!\n\nWARNING: LegacyKeyValueFormat - https://")
    assert "\nDockerfile:2\n--------------------\n   1 |     FROM scratch\n   2 | >>> ENV a b\n   3 |     CMD x\n" in r.out
    assert "WARNING: JSONArgsRecommended" in r.out


def test_a_mistake_shows_where_and_what_was_meant(kogge, context):
    r = kogge("build", "--check", context("FROM scratch\n\nCOPY --form=x a /\n"))
    assert r.code == 1 and r.out == ""
    assert "   3 | >>> COPY --form=x a /\n" in r.err
    assert r.err.endswith("kogge: Dockerfile:3: COPY has no flag --form (did you mean --from?)\n")


def test_the_dockerfile_may_be_elsewhere(kogge, context, tmp_path):
    folder = context()
    (tmp_path / "other").write_text("FROM scratch\nENV a b\n")
    r = kogge("build", "--check", "-f", str(tmp_path / "other"), folder)
    assert r.code == 1 and "LegacyKeyValueFormat" in r.out
    for args in (["-"], ["-f", "-", folder]):
        r = kogge("build", "--check", *args, input="FROM scratch\nENV a b\n")
        assert r.code == 1 and "LegacyKeyValueFormat" in r.out
    os.rename(tmp_path / "Dockerfile", tmp_path / "dockerfile")
    assert kogge("build", "--check", folder).code == 0


def test_what_is_ignored_cannot_be_copied(kogge, context, tmp_path):
    folder = context(_dockerignore="# none\na\n")
    assert "WARNING: CopyIgnoredFile" in kogge("build", "--check", folder).out
    (tmp_path / "Dockerfile.dockerignore").write_text("b\n")
    assert kogge("build", "--check", folder).code == 0
    (tmp_path / "Dockerfile.dockerignore").write_text("[\n")
    r = kogge("build", "--check", folder)
    assert r.code == 1 and "line 1: the pattern '[' is malformed" in r.err


def test_arguments_platform_and_target_count(kogge, context, monkeypatch):
    folder = context("ARG V\nFROM img:$V AS a\nCOPY $W /\nFROM scratch AS b\nENV a b\n")
    assert "InvalidDefaultArgInFrom" in kogge("build", "--check", folder).out
    r = kogge("build", "--check", "--target", "b", folder)
    assert "LegacyKeyValueFormat" in r.out
    r = kogge("build", "--check", "--target", "c", folder)
    assert r.code == 1 and 'target stage "c" could not be found' in r.err
    r = kogge("build", "--check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", folder)
    assert r.code == 0
    monkeypatch.setenv("BUILDKIT_DOCKERFILE_CHECK", "skip=all")
    assert kogge("build", "--check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK", folder).code == 0
    assert kogge("build", "--check", "--platform", "nonsense/x/y/z", folder).code == 1


def test_variables_of_an_image_in_the_store_are_known(box, context):
    folder = context("FROM busybox\nCOPY $NOWHERE /\n")
    assert "UndefinedVar" in box("build", "--check", folder).out


def test_what_is_missing_is_named(kogge, tmp_path):
    r = kogge("build", "--check", str(tmp_path))
    assert r.code == 1 and r.err.startswith(f"kogge: opening {tmp_path}/Dockerfile: no such file")
    r = kogge("build", str(tmp_path))
    assert r.code == 1 and "failed to read dockerfile" in r.err
