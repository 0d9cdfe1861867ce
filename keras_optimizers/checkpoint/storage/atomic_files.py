"""Files that appear whole or not at all: written beside their place, then renamed into it."""

import contextlib
import errno
import os
import shutil
import tempfile
from typing import Callable, Iterator, Optional

from keras_optimizers.checkpoint.errors import CheckpointError

_PARTIAL = ".partial"
# What the system says when a file cannot grow or cannot be kept. The same reasons have other
# names where a library reports them.
_NOT_STORED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


@contextlib.contextmanager
def written_whole(
    path: str, confirm: Optional[Callable[[str], None]] = None, shown: Optional[str] = None
) -> Iterator[str]:
    """Give a path beside `path` to write to; on success it takes the name `path`.

    Where `path` is a symbolic link, the file that it leads to is replaced, and the link stays.

    Arguments:
        confirm: called with the path of the finished file before that takes the name `path`; if
            it raises, nothing has changed.
        shown: the path as messages name it, where that is another.

    Killed at any moment, what was at `path` before is still there, whole. A file with the ending
    ".partial" may stay behind then; nothing ever reads it.

    Raises:
        CheckpointError: If the folder cannot be written to, the disk is full, or `path` is
            something else than a file, such as a directory or a device.
    """
    shown = path if shown is None else shown
    if os.path.exists(path) and not os.path.isfile(path):
        what = "a directory" if os.path.isdir(path) else "a device or a pipe"
        raise CheckpointError(f"Cannot write {shown!r}: it is {what}. Give the path of a file.")
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    try:
        descriptor, partial = tempfile.mkstemp(_PARTIAL, "." + name + ".", folder)
    except OSError as error:
        raise CheckpointError(f"Cannot write {shown!r}: {error.strerror or error}.") from error
    os.close(descriptor)
    try:
        yield partial
        _take_mode(partial, path)
        to_disk(partial)
        if confirm is not None:
            confirm(partial)
        os.replace(partial, path)
        to_disk(folder)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(partial)
        if isinstance(error, OSError) and error.errno in _NOT_STORED:
            raise not_stored(shown, error) from error
        raise


@contextlib.contextmanager
def stored(path: str) -> Iterator[None]:
    """Turn the error of a full or broken disk into one sentence about `path`.

    Raises:
        CheckpointError: If the disk is full or broken.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_STORED:
            raise not_stored(path, error) from error
        raise


def not_stored(path: str, error: OSError) -> CheckpointError:
    """The error for a file that the system could not store."""
    return CheckpointError(
        f"Cannot write {path!r}: {error.strerror or error}. Nothing was changed. Make room, or "
        "give a path on another disk."
    )


@contextlib.contextmanager
def folder_beside(path: str) -> Iterator[str]:
    """A temporary folder on the file system of `path`, removed in the end."""
    folder, name = os.path.split(os.path.abspath(path))
    try:
        temporary = tempfile.mkdtemp(_PARTIAL, "." + name + ".", folder)
    except OSError as error:
        raise CheckpointError(f"Cannot write {path!r}: {error.strerror or error}.") from error
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def back_up(path: str) -> str:
    """A second name for the file at `path`, before another takes its place; that name.

    A hard link where the file system has them: at no moment is the file without a name.
    """
    number = 0
    while True:
        backup = path + ".backup" + (f".{number}" if number else "")
        try:
            os.link(os.path.realpath(path), backup)
        except FileExistsError:
            number += 1
            continue
        except OSError:
            with written_whole(backup) as partial:
                shutil.copyfile(path, partial)
        return backup


def to_disk(path: str) -> None:
    """Have the system write a file or a folder out, so that a rename cannot overtake its data.

    Raises:
        OSError: If the disk turns out to be full or broken. What the system merely does not offer
            is left out.
    """
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) if os.path.isdir(path) else os.O_RDWR
    try:
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _NOT_STORED:
            raise


def _take_mode(partial: str, path: str) -> None:
    """Temporary files are private; the result gets the mode a new (or the old) file has."""
    if os.path.exists(path):
        mode = os.stat(path).st_mode & 0o777
    else:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    os.chmod(partial, mode)
