"""Where compiled libraries are kept: a folder, and a record beside each library.

The record is JSON. It says what the library was made from, and holds its checksum: a library
without a record, or with another checksum, counts as not there.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from typing import Any, Dict, Iterator, List, Optional

try:
    import fcntl
except ImportError:  # on Windows, which has no native op
    fcntl = None  # type: ignore

FOLDER_VARIABLE = "KERAS_OPTIMIZERS_CACHE"
LIBRARY_SUFFIX, RECORD_SUFFIX = ".so", ".json"

Record = Dict[str, Any]


def folder() -> str:
    """The folder for libraries: KERAS_OPTIMIZERS_CACHE, or a part of the user's cache."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return os.path.abspath(given)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the standard says to ignore it then
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "keras-optimizers", "native")


def checksum(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def read_record(path: str) -> Optional[Record]:
    """The record at `path`; None where there is none that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def write_record(path: str, record: Record) -> None:
    """Write a record; it appears under its name whole or not at all."""
    handle, written = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1, sort_keys=True)
        os.replace(written, path)
    except BaseException:
        os.unlink(written)
        raise


def record_of(library: str) -> Optional[Record]:
    """What the record beside a library says of it; None if it is of another file, or missing."""
    record = read_record(library[: -len(LIBRARY_SUFFIX)] + RECORD_SUFFIX)
    if record is None or not os.path.isfile(library):
        return None
    return record if record.get("sha256") == checksum(library) else None


def libraries(in_folder: str, wanted: Record) -> List[str]:
    """Paths of the whole libraries in a folder whose records agree with `wanted`, newest first."""
    if not os.path.isdir(in_folder):
        return []
    paths = [os.path.join(in_folder, name) for name in os.listdir(in_folder)]
    found = []
    for path in paths:
        if path.endswith(LIBRARY_SUFFIX):
            record = record_of(path)
            if record is not None and all(record.get(k) == v for k, v in wanted.items()):
                found.append(path)
    return sorted(found, key=os.path.getmtime, reverse=True)


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Context that one process at a time can be in; others wait. The file `path` stays."""
    with open(path, "a") as file:
        with contextlib.suppress(OSError):  # some network drives have no locks: work is done twice
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file gives the lock back
