"""What the commands write: text on standard output, and files of text.

Each function either has written all of it or raises, so that no command ends with status 0 after
its output was lost.
"""

import codecs
import contextlib
import errno
import os
import stat
import sys
import tempfile
from typing import Any, Callable, Iterable, Optional

_FAILED = 2
# What a shell shows for a command that ends because nobody reads its output any more: 128 and the
# number of SIGPIPE.
CLOSED_PIPE = 141
# With these a write to standard output fails: a full disk, a closed pipe, a limit of the shell.
_OF_A_STREAM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE, errno.EIO, errno.EBADF)


class OutputError(OSError):
    """Output could not be written; the text says where and why.

    Attributes:
        pipe_is_closed: whether the reader of standard output has gone, as after `| head -1`. That
            is no fault, so no message is due.
    """

    pipe_is_closed = False


def show(text: str) -> None:
    """Print `text` and have the system take it.

    Raises:
        OutputError: If standard output is closed or cannot take it.
    """
    if sys.stdout is None:
        raise OutputError("Cannot write to standard output: it is closed.")
    try:
        print(text)
        sys.stdout.flush()
    except OSError as error:
        raise _lost(error) from error


def _lost(error: OSError) -> OutputError:
    """The error of a failed write to standard output, which is not tried again at exit."""
    _to_nowhere(sys.stdout)
    raised = OutputError(f"Cannot write to standard output: {error.strerror or error}.")
    raised.pipe_is_closed = error.errno == errno.EPIPE
    return raised


def complain(text: str) -> None:
    """Print a message on standard error; where that is lost, the exit status must tell."""
    with contextlib.suppress(OSError):
        print(f"keras-optimizers: {text}", file=sys.stderr, flush=True)


def status_of(error: OutputError) -> int:
    """Say that output was lost, where that is a fault; the exit status."""
    if error.pipe_is_closed:
        return CLOSED_PIPE
    complain(str(error))
    return _FAILED


def guarded(work: Callable[[], int]) -> int:
    """Run a command; its exit status, or that of lost output.

    argparse writes help and errors itself, so what it raises about a full disk is caught here.
    """
    _occupy_the_standard_streams()
    try:
        try:
            return work()
        finally:  # argparse and scripts end with SystemExit
            _flush()
    except OutputError as error:
        return status_of(error)
    except OSError as error:
        if error.filename is not None or error.errno not in _OF_A_STREAM:
            complain(str(error))
            return _FAILED
        return status_of(_lost(error))


def _flush() -> None:
    """Have the system take what was printed.

    Raises:
        OSError: If standard output cannot take it.
    """
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        _to_nowhere(sys.stderr)
    if sys.stdout is not None:
        sys.stdout.flush()


def _to_nowhere(stream: Any) -> None:
    """What is still in the buffer would fail again when Python exits, with status 120."""
    with contextlib.suppress(OSError, ValueError, AttributeError), open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), stream.fileno())


def _occupy_the_standard_streams() -> None:
    """Where a stream was closed by the caller, no file that is opened may get its number.

    TensorFlow and HDF5 write their messages to number 2, whatever file that is.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stderr is None:  # `print` would use standard output in its place
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (as long as the process)


def check_place(path: str) -> None:
    """Refuse a path that no file can be written to, before the work that is to be written there.

    Raises:
        OutputError: If it is a directory, or its folder is missing or cannot be written to.
    """
    folder = os.path.dirname(os.path.abspath(path))
    reason = ""
    if os.path.isdir(path):
        reason = "it is a directory"
    elif not os.path.isdir(folder):
        reason = f"there is no folder {folder!r}"
    elif not os.access(path if os.path.exists(path) else folder, os.W_OK):
        reason = "it is read-only, or not yours"
    if reason:
        raise OutputError(f"Cannot write {path!r}: {reason}. Give another path.")


def check_place_of_text(path: str, checkpoints: Iterable[Optional[str]] = ()) -> None:
    """Refuse a path as `check_place`, and one whose content a text must not replace.

    Arguments:
        checkpoints: paths that the same command reads or writes; None stands for none.

    Raises:
        OutputError: If `check_place` refuses it, it is one of `checkpoints`, or what is there is
            no text.
    """
    check_place(path)
    reason = ""
    target = os.path.realpath(path)
    if any(other and _is_part_of(target, os.path.realpath(other)) for other in checkpoints):
        reason = "the command reads or writes a checkpoint there"
    elif os.path.isfile(target) and not _is_text(target):
        reason = "what is there is no text, and would be lost"
    if reason:
        raise OutputError(f"Cannot write {path!r}: {reason}. Give another path.")


def _is_part_of(path: str, checkpoint: str) -> bool:
    """Whether a file is a checkpoint's: itself, one of a prefix, or one in a directory."""
    beginnings = (checkpoint + ".index", checkpoint + ".data-", checkpoint + os.sep)
    return path == checkpoint or path.startswith(beginnings)


def _is_text(path: str) -> bool:
    """Whether a file begins as text does; one that cannot be read counts as text."""
    try:
        with open(path, "rb") as opened:
            start = opened.read(4096)
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    except OSError:
        return True
    return b"\0" not in start


def write_text(path: str, text: str) -> None:
    """Write a file of text, whole or not at all.

    Raises:
        OutputError: If it cannot be written. What was at `path` before is still there then.
    """
    try:
        if _is_a_stream(path):
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
            return
        target = os.path.realpath(path)
        mode = stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else _new_mode()
        descriptor, partial = tempfile.mkstemp(
            ".partial", "." + os.path.basename(target) + ".", os.path.dirname(target)
        )
        try:
            with open(descriptor, "w", encoding="utf-8") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(opened.fileno())
            os.chmod(partial, mode)
            os.replace(partial, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.remove(partial)
            raise
    except OSError as error:
        raise OutputError(f"Cannot write {path!r}: {error.strerror or error}.") from error


def _is_a_stream(path: str) -> bool:
    """Whether something other than a file is there, such as a pipe or a terminal."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def _new_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
