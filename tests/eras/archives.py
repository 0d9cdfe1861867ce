"""The committed checkpoints of one release in one compressed archive: sources/ERA.tar.xz.

A checkpoint of a small model is 20 KB of HDF5 and nearly all of that is air; together they take a
twentieth. `file_of` unpacks an archive once for a process.
"""

import atexit
import io
import os
import shutil
import tarfile
import tempfile

import problem

SOURCES = os.path.join(problem.FOLDER, "sources")
_unpacked = {}


def folder_of(era):
    """The folder that holds an era's files and what was recorded beside them."""
    if not problem.ERAS[era].archived:
        return os.path.join(SOURCES, era)
    if era not in _unpacked:
        folder = tempfile.mkdtemp(prefix="eras-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        with tarfile.open(archive_of(era)) as archive:
            archive.extractall(folder)
        _unpacked[era] = folder
    return _unpacked[era]


def archive_of(era):
    """The committed file."""
    return os.path.join(SOURCES, era + ".tar.xz")


def is_recorded(era):
    """Whether the era's files are there."""
    return os.path.exists(archive_of(era) if problem.ERAS[era].archived else folder_of(era))


def file_of(era, case):
    """A checkpoint: its file, its folder, or its prefix."""
    return os.path.join(folder_of(era), case + problem.ERAS[era].ending)


def recorded_of(era, case):
    """The arrays that were recorded with it, an .npz."""
    return os.path.join(folder_of(era), case + ".npz")


def pack(folder, path):
    """Write an archive of a folder's content, the same bytes for the same files."""
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for name in sorted(_files_below(folder)):
            with open(os.path.join(folder, name), "rb") as opened:
                content = opened.read()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _files_below(folder):
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(parent, name), folder)
