"""Replacing a file as a whole: its readers see the old content or the new one, never a part.

The draft has no name until it is complete and synchronized with the disk, where the system allows
that (Linux): a process that is killed while it writes leaves nothing. If the target exists, the
draft gets a name of its own for the one moment before it replaces the target; a process killed in
that moment leaves it, and the next one that writes the target removes it. On other systems the
draft has a name all the time.
"""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from refquant.errors import ArgumentError

try:
    import fcntl
except ImportError:  # Windows, which does not let anybody delete a file that is open
    fcntl = None  # type: ignore[assignment]

__all__ = ["replace_bytes", "replace_file"]


def replace_file(path: Path, write: Callable[[BinaryIO], Any], argument: str = "path") -> None:
    """Write a file, and let it take the place of the target when it is complete.

    Parameters
    ----------
    path : Path
        The target, a regular file or nothing yet; of a link, what it points to. The new file has
        the permissions of the old one, and its owner if this process may set it.
    write : callable
        Called with a binary file, perhaps twice.
    argument : str
        Where the path came from, for messages.

    Raises
    ------
    ArgumentError
        If the target is a device, a pipe or another file that is not regular.
    OSError
        If it cannot be written. The target is as it was.
    """
    target = Path(os.path.realpath(path))
    before = _status(target, argument)
    # A short name, however long that of the target is; the same for the same target.
    stem = "." + hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    _remove_abandoned(target.parent, stem)
    draft = target.with_name(f"{stem}.{secrets.token_hex(4)}.part")
    if not _replace_by_unnamed(target, draft, before, write):
        _replace_by_named(target, draft, before, write)
    _synchronize_folder(target.parent)


def replace_bytes(path: Path, data: bytes) -> None:
    """Write a file that holds these bytes; see `replace_file`."""
    replace_file(path, lambda stream: stream.write(data))


def _status(target: Path, argument: str) -> os.stat_result | None:
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise ArgumentError(
            argument=argument,
            expected="the path of a regular file, or of none yet",
            got=f"{str(target)!r}, which is a folder, a device or a pipe",
            hint='open it with open(..., "wb") and hand over the file',
        )
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    return status


def _replace_by_unnamed(
    target: Path, draft: Path, before: os.stat_result | None, write: Callable[[BinaryIO], Any]
) -> bool:
    """Write a file without a name, then name it; False if the system does not do that."""
    if not hasattr(os, "O_TMPFILE") or fcntl is None or not os.path.isdir("/proc/self/fd"):
        return False
    try:
        descriptor = os.open(target.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    with open(descriptor, "wb") as stream:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _fill(stream, before, write)
        source = f"/proc/self/fd/{descriptor}"
        try:
            if before is None:
                with suppress(FileExistsError):
                    # The folder of an absolute path is ignored, but makes the call follow links.
                    os.link(source, target, src_dir_fd=descriptor)
                    return True
            os.link(source, draft, src_dir_fd=descriptor)
        except OSError:
            return False
        _rename(draft, target)
    return True


def _replace_by_named(
    target: Path, draft: Path, before: os.stat_result | None, write: Callable[[BinaryIO], Any]
) -> None:
    binary = getattr(os, "O_BINARY", 0)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o666)
    try:
        with open(descriptor, "wb") as stream:
            if fcntl is not None:
                with suppress(OSError):  # some network file systems have no locks
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _fill(stream, before, write)
            if fcntl is not None:
                _rename(draft, target)
        if fcntl is None:  # Windows renames only what is closed
            _rename(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _rename(draft: Path, target: Path) -> None:
    try:
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _fill(
    stream: BinaryIO, before: os.stat_result | None, write: Callable[[BinaryIO], Any]
) -> None:
    """Write everything, take over permissions and owner, and wait until the disk has it."""
    write(stream)
    stream.flush()
    descriptor = stream.fileno()
    if before is not None and hasattr(os, "fchmod"):
        with suppress(PermissionError):
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
    os.fsync(descriptor)


def _synchronize_folder(folder: Path) -> None:
    """Wait until the disk has the new name too, where folders can be synchronized."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_abandoned(folder: Path, stem: str) -> None:
    """Remove drafts of processes that were killed: nobody has them open, or holds their lock."""
    for draft in folder.glob(f"{stem}.*.part"):
        with suppress(OSError):
            if fcntl is None:
                draft.unlink()
                continue
            descriptor = os.open(draft, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.unlink()
            finally:
                os.close(descriptor)
