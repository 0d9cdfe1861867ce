"""Work on files that nobody vouches for, in a process of its own.

The HDF5 library can crash, loop or ask for all memory when a file is damaged in the right place.
No check in Python can prevent that; a process can be watched, and ended.
"""

import gc
import glob
import os
import signal
import sys
from typing import Any, Callable, Dict

# Seconds of processor time without progress after which a file counts as damaged; more for large
# files, which are known to be read by at least so many bytes a second.
_PATIENCE = 20
_SLOWEST = 20 << 20
_MEMORY = 300 << 20
_FAILED = 2


def supervised(work: Callable[[], int], paths: Any, limit_memory: bool = True) -> int:
    """Run `work` in a child process; its exit status, or 2 where it died.

    Arguments:
        work: returns an exit status; what it prints appears as usual.
        paths: the files it reads, for the message and the limit of memory.
        limit_memory: bound the memory by 300 MB beyond what the files' sizes explain, and the
            time without progress. Not where TensorFlow is loaded.

    Where a system cannot fork, `work` runs in this process.
    """
    if not hasattr(os, "fork"):
        return work()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None where the caller closed it
            stream.flush()
    child = _fork()
    if child == 0:
        os._exit(_as_child(work, paths, limit_memory))
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:  # Ctrl-C, or a test's timeout: nobody may go on writing
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    shown = ", ".join(repr(path) for path in paths)
    reasons: Dict[int, str] = {
        signal.SIGPROF: "made the HDF5 library work without end",
        signal.SIGKILL: "was being read when the process was killed, maybe for want of memory",
    }
    reason = reasons.get(os.WTERMSIG(status), "made the HDF5 library crash")
    print(f"keras-optimizers: {shown} {reason}. It is damaged or hostile.", file=sys.stderr)
    return _FAILED


def _fork() -> int:
    """Fork, as `os.fork`, a child that collects nothing that its parent has made.

    The end of a TensorFlow session waits for its threads, and a fork has none of them. So nothing
    may be collected from the fork on until `freeze`: the child's first steps, among them what
    libraries have it do after a fork, can make enough objects to start a collection.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        child = os.fork()
        if child == 0:
            if hasattr(gc, "freeze"):
                gc.freeze()
            else:  # Python 3.6
                collects = False
    finally:
        if collects:
            gc.enable()
    return child


def _as_child(work: Callable[[], int], paths: Any, limit_memory: bool) -> int:
    try:
        _end_with_parent()
        if limit_memory:
            _limit_memory(paths)
            _watch(paths)
        status = work()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else _FAILED
    except KeyboardInterrupt:
        status = 130
    except MemoryError:
        print(
            "keras-optimizers: the file needs more memory than one of its size should. It is "
            "damaged or hostile.",
            file=sys.stderr,
        )
        status = _FAILED
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 70  # an error of ours
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass  # `work` itself has made sure of its output
    return status


_watched: Dict[str, float] = {}


def _watch(paths: Any) -> None:
    _watched["patience"] = _PATIENCE + _size(paths) / _SLOWEST
    progressed()


def progressed() -> None:
    """Something was finished: where somebody watches, the patience begins anew."""
    if "patience" in _watched:
        signal.setitimer(signal.ITIMER_PROF, _watched["patience"])


def _size(paths: Any) -> int:
    """The bytes of all files: of a path, of a checkpoint by its prefix, or in a directory.

    Of a directory with a checkpoint or a SavedModel, that is. Other folders in it do not count: a
    user's typing error can name the root of a disk.
    """
    found = set()
    for path in paths:
        found.add(path)
        found.update(glob.glob(glob.escape(path) + "/*"))
        found.update(glob.glob(glob.escape(path) + "/variables/*"))
        for prefix in (path, os.path.splitext(path)[0]):
            if os.path.isfile(prefix + ".index"):
                found.add(prefix + ".index")
                found.update(glob.glob(glob.escape(prefix) + ".data-*"))
    return sum(os.path.getsize(path) for path in found if os.path.isfile(path))


def _limit_memory(paths: Any) -> None:
    import resource

    try:
        with open("/proc/self/statm") as opened:
            used = int(opened.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return  # no such file on this system; the checks in `hdf5` remain
    allowed = used + _MEMORY + 4 * _size(paths)  # a step is computed on copies
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or allowed < hard:
        resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


def _end_with_parent() -> None:
    """On Linux: when the parent is killed, so is the child."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
    except (ImportError, OSError, AttributeError):
        pass
