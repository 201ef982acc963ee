"""`save` replaces a file as a whole or not at all: permissions, links, full disks, kills."""

import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

import refquant
from refquant.errors import ArgumentError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "x.rq"
    refquant.save([1], target)

    def fail(fd):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        refquant.save([2], target)
    assert refquant.load(target) == [1]
    assert names(tmp_path) == ["x.rq"]


@pytest.mark.parametrize("missing", [(), ("O_TMPFILE",)], ids=["unnamed draft", "named draft"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, missing):
    for name in missing:
        monkeypatch.delattr(os, name, raising=False)
    target = tmp_path / "x.rq"
    refquant.save([1], target)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        for other in (target, tmp_path / "new.rq"):
            with pytest.raises(OSError, match=r"[Ll]arge"):
                refquant.save(refquant.zeros(1_000_000), other)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert refquant.load(target) == [1]
    assert names(tmp_path) == ["x.rq"]


@pytest.mark.parametrize("missing", [(), ("O_TMPFILE",)], ids=["unnamed draft", "named draft"])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_stay(tmp_path, monkeypatch, mode, missing):
    for name in missing:
        monkeypatch.delattr(os, name, raising=False)
    target = tmp_path / "x.rq"
    target.touch()
    target.chmod(mode)
    refquant.save([1], target)
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert refquant.load(target) == [1]
    assert names(tmp_path) == ["x.rq"]


def test_a_new_file_has_the_permissions_of_the_process(tmp_path):
    before = os.umask(0o027)
    try:
        refquant.save([1], tmp_path / "x.rq")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.rq").stat().st_mode) == 0o640


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path, monkeypatch):
    target = tmp_path / "x.rq"
    refquant.save([1], target)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root
    with pytest.raises(PermissionError):
        refquant.save([2], target)
    assert refquant.load(target) == [1]


def test_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/null", tmp_path / "pipe"):
        with pytest.raises(ArgumentError, match=r"regular file.*open"):
            refquant.save([1], path)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with open("/dev/null", "wb") as file:
        refquant.save([1], file)


def test_a_pipe_is_read_to_its_end(tmp_path):
    read, write = os.pipe()
    with open(write, "wb") as file:
        refquant.save([1, refquant.ones(10)], file)
    with open(read, "rb") as file:
        assert refquant.load(file)[0] == 1


def test_a_link_stays_a_link(tmp_path):
    refquant.save([1], tmp_path / "real.rq")
    (tmp_path / "link.rq").symlink_to(tmp_path / "real.rq")
    refquant.save([2], tmp_path / "link.rq")
    assert (tmp_path / "link.rq").is_symlink()
    assert refquant.load(tmp_path / "real.rq") == [2]


def test_the_longest_names_are_written(tmp_path):
    target = tmp_path / ("n" * 255)
    refquant.save([1], target)
    refquant.save([2], target)
    assert refquant.load(target) == [2]
    assert names(tmp_path) == [target.name]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        refquant.save([1], tmp_path / "no" / "x.rq")


# A process that forks children, each of which is killed after so many calls within `save`.
KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    import refquant

    folder, existing, named = Path(sys.argv[1]), sys.argv[2] == "existing", sys.argv[3] == "named"
    if named and hasattr(os, "O_TMPFILE"):
        del os.O_TMPFILE
    value = [refquant.zeros(1000) for _ in range(8)]
    target = folder / "x.rq"

    def events(limit):
        count = 0
        def profile(frame, event, argument):
            nonlocal count
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.setprofile(profile)
        refquant.save(value, target)
        sys.setprofile(None)
        return count

    def begin():
        for path in folder.iterdir():
            path.unlink()
        if existing:
            refquant.save("old", target)

    events(None)  # imports and caches
    begin()
    total = events(None)
    # Every call at the end, where files are named and renamed; before, one of several.
    late = min(total, 36)
    points = [*range(1, total - late, -(-(total - late) // 20)), *range(total - late, total + 1)]
    killed = left = 0
    for limit in points:
        begin()
        child = os.fork()
        if child == 0:
            events(limit)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        loaded = refquant.load(target) if target.exists() else None
        if isinstance(loaded, list):
            assert len(loaded) == 8
        else:
            assert loaded == ("old" if existing else None), loaded
        drafts = [path.name for path in folder.iterdir() if path.name != target.name]
        assert len(drafts) <= 1 and all(name.endswith(".part") for name in drafts), drafts
        left += len(drafts)
        refquant.save("next", target)
        assert [path.name for path in folder.iterdir()] == [target.name], "the next one cleans"
    print(killed, left)
    """
)


@pytest.mark.parametrize("kind", ["unnamed", "named"])
@pytest.mark.parametrize("target", ["new", "existing"])
def test_a_process_killed_while_it_saves_leaves_the_old_file_or_the_new_one(tmp_path, target, kind):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", KILLED, str(tmp_path), target, kind],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    killed, left = map(int, done.stdout.split())
    assert killed >= 50
    if kind == "unnamed" and hasattr(os, "O_TMPFILE"):
        # Only between naming a draft and renaming it, of files that exist already.
        assert left <= (3 if target == "existing" else 0)
