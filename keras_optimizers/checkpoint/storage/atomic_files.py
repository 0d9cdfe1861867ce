"""Files that appear whole or not at all: written beside their place, then renamed into it."""

import contextlib
import os
import shutil
import tempfile
from typing import Callable, Iterator, Optional

from keras_optimizers.checkpoint.errors import CheckpointError

_PARTIAL = ".partial"


@contextlib.contextmanager
def written_whole(path: str, confirm: Optional[Callable[[str], None]] = None) -> Iterator[str]:
    """Give a path beside `path` to write to; on success it takes the name `path`.

    Arguments:
        confirm: called with the path of the finished file before that takes the name `path`; if
            it raises, nothing has changed.

    Killed at any moment, what was at `path` before is still there, whole. A file with the ending
    ".partial" may stay behind then; nothing ever reads it.

    Raises:
        CheckpointError: If the folder cannot be written to.
    """
    folder, name = os.path.split(os.path.abspath(path))
    try:
        descriptor, partial = tempfile.mkstemp(_PARTIAL, "." + name + ".", folder)
    except OSError as error:
        raise CheckpointError(f"Cannot write {path!r}: {error.strerror or error}.") from error
    os.close(descriptor)
    try:
        yield partial
        _take_mode(partial, path)
        to_disk(partial)
        if confirm is not None:
            confirm(partial)
        os.replace(partial, path)
        to_disk(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(partial)
        raise


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
            os.link(path, backup)
        except FileExistsError:
            number += 1
            continue
        except OSError:
            with written_whole(backup) as partial:
                shutil.copyfile(path, partial)
        return backup


def to_disk(path: str) -> None:
    """Have the system write a file or a folder out, so that a rename cannot overtake its data."""
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) if os.path.isdir(path) else os.O_RDWR
    with contextlib.suppress(OSError):
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _take_mode(partial: str, path: str) -> None:
    """Temporary files are private; the result gets the mode a new (or the old) file has."""
    if os.path.exists(path):
        mode = os.stat(path).st_mode & 0o777
    else:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    os.chmod(partial, mode)
