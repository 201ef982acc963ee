"""The release script writes version, changelog and tag, or tells what it would write."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / ".ci" / "release").exists() or not shutil.which("git") or os.name != "posix",
    reason="needs a source tree, git and a shell",
)
CHANGED = ("CHANGELOG.md", "CITATION.cff", "refquant/_version.py")


@pytest.fixture
def run(tmp_path):
    """Make a repository of what the script reads, whose checks always pass."""
    for name in (*CHANGED, ".ci/release"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    log = tmp_path / "CHANGELOG.md"
    text = re.sub(r"(?m)^## \[Unreleased\]\n", "## [Unreleased]\n\n- News.\n", log.read_text())
    log.write_text(text)
    for name in ("run", "wheels"):
        script = tmp_path / ".ci" / name
        script.write_text("#!/bin/sh\necho checked by $0 $*\n")
        script.chmod(0o755)
    (tmp_path / "Makefile").write_text("docs:\n\t@echo documented\n")
    person = {
        f"GIT_{who}_{what}": "someone@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **person, "PYTHON": sys.executable, "HOME": str(tmp_path)}

    def command(*words):
        return subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )

    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "Begin")):
        assert command("git", *words).returncode == 0

    def release(*words):
        return command("bash", ".ci/release", *words)

    release.git = lambda *words: command("git", *words).stdout.strip()
    release.folder = tmp_path
    return release


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(run):
    done = run("7.8.9", "--dry-run")
    assert done.returncode == 0, done.stderr
    for name in CHANGED:
        assert f"{name}: would be changed" in done.stdout
    assert run.git("status", "--porcelain") == ""
    assert run.git("tag") == ""


def test_a_release_changes_version_and_changelog_and_makes_a_tag(run):
    done = run("7.8.9rc1")
    assert done.returncode == 0, done.stderr
    assert "checked by .ci/run" in done.stdout
    assert "checked by .ci/wheels dist-7.8.9rc1" in done.stdout
    assert "documented" in done.stdout
    assert run.git("status", "--porcelain") == ""
    assert run.git("describe") == "v7.8.9rc1"
    assert run.git("show", "--format=%s", "--name-only").split("\n\n") == [
        "Release 7.8.9rc1",
        "\n".join(CHANGED),
    ]
    assert '__version__ = "7.8.9rc1"' in (run.folder / CHANGED[2]).read_text()
    log = (run.folder / "CHANGELOG.md").read_text()
    assert re.search(r"## \[Unreleased\]\n\n## \[7\.8\.9rc1\] - \d{4}-\d\d-\d\d\n\n- News", log)


@pytest.mark.parametrize("version", ["7.8", "v7.8.9", "7.8.9-1", ""])
def test_what_is_no_version_is_rejected(run, version):
    done = run(version, "--dry-run")
    assert done.returncode != 0
    assert "is no version" in done.stderr or "usage" in done.stderr


def test_a_tag_that_is_there_and_changes_that_are_not_committed_are_rejected(run):
    run.git("tag", "v7.8.9")
    assert "v7.8.9 is there already" in run("7.8.9").stderr
    (run.folder / "CITATION.cff").write_text("changed\n")
    assert "not committed" in run("8.0.0").stderr


def test_nothing_new_is_no_release(run):
    (run.folder / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [0.1.0]\n- x\n")
    run.git("commit", "-qam", "Forget")
    assert "tells nothing under [Unreleased]" in run("7.8.9").stderr
