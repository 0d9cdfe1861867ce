"""The wheel `keras_optimizers_native`: compiled libraries for machines without a compiler.

It holds a library for each minor release of TensorFlow that it is made with, and the libraries'
records. `library` looks into it before it compiles.
"""

import base64
import hashlib
import json
import os
import subprocess
import tempfile
import zipfile
from typing import Callable, Dict, List, Sequence, Tuple

import keras_optimizers
from keras_optimizers.lowering.native import cache, symbols
from keras_optimizers.lowering.native.build import build

PACKAGE = "keras_optimizers_native"
_TAG = "py3-none-manylinux2014_x86_64"
# Zip files hold dates from 1980 on; all the same, so that equal contents make an equal file.
_DATE = (1980, 1, 1, 0, 0, 0)

_METADATA = """\
Metadata-Version: 2.1
Name: {package}
Version: {version}
Summary: The native op of keras_optimizers, compiled: {releases}.
Requires-Python: >=3.6
"""
_INIT = '''\
"""Compiled libraries of keras_optimizers, which finds them here: nothing is to be imported."""
'''
_WHEEL = """\
Wheel-Version: 1.0
Generator: keras-optimizers build
Root-Is-Purelib: false
Tag: {tag}
"""


class WheelError(Exception):
    """The wheel cannot be made. The text is a sentence with the reason."""


def make(folder: str, pythons: Sequence[str] = (), tick: Callable[[], None] = lambda: None) -> str:
    """Write the wheel into `folder`; its path.

    Arguments:
        pythons: Python programs with other TensorFlows, whose libraries it also holds.
        tick: called a few times a second while a compiler runs.

    Raises:
        BuildError: If the library cannot be compiled for the TensorFlow that is imported.
        WheelError: If it cannot for another, if a library needs symbols that are newer than
            manylinux2014's, or if the folder cannot be written to.
    """
    libraries = [build(tick=tick)] + [_built_by(python) for python in pythons]
    contents: Dict[str, bytes] = {f"{PACKAGE}/__init__.py": _INIT.encode()}
    releases = []
    for library in libraries:
        record = _checked_record(library)
        name = f"{PACKAGE}/tensorflow-{record['minor']}"
        if name + cache.LIBRARY_SUFFIX in contents:
            raise WheelError(
                f"two Pythons have TensorFlow {record['minor']}, and one library serves all of it"
            )
        releases.append(f"TensorFlow {record['minor']}")
        with open(library, "rb") as file:
            contents[name + cache.LIBRARY_SUFFIX] = file.read()
        contents[name + cache.RECORD_SUFFIX] = json.dumps(record, indent=1, sort_keys=True).encode()
    version = keras_optimizers.__version__
    path = os.path.join(os.path.abspath(folder), f"{PACKAGE}-{version}-{_TAG}.whl")
    try:
        os.makedirs(folder, exist_ok=True)
        _write(path, contents, f"{PACKAGE}-{version}.dist-info", version, ", ".join(releases))
    except OSError as error:
        raise WheelError(f"{path!r} cannot be written: {error.strerror or error}") from error
    return path


def _built_by(python: str) -> str:
    """The library that another Python compiles for its TensorFlow."""
    package = os.path.dirname(os.path.abspath(keras_optimizers.__file__))
    with tempfile.TemporaryDirectory() as only_ours:
        # Not the folder that the package is in: that may hold this Python's packages, too.
        os.symlink(package, os.path.join(only_ours, "keras_optimizers"))
        environment = dict(os.environ, PYTHONPATH=only_ours, PYTHONDONTWRITEBYTECODE="1")
        command = [python, "-m", "keras_optimizers", "build", "--json"]
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
            )
        except OSError as error:
            raise WheelError(f"{python!r} does not run: {error.strerror or error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise WheelError(f"{python!r} made no library: {said}")
    return json.loads(done.stdout.decode())["library"]


def _checked_record(library: str) -> cache.Record:
    """The record for the wheel: it serves all patches of a minor release, and any compiler's."""
    beyond = symbols.beyond_manylinux2014(library)
    if beyond:
        raise WheelError(
            f"{library!r} needs {', '.join(beyond)}, which systems before this one do not have: "
            "make the wheel with an older compiler, for example inside a manylinux2014 container"
        )
    record = dict(cache.record_of(library) or {})
    record["minor"] = ".".join(str(record["tensorflow"]).split(".")[:2])
    return record


def _write(path: str, contents: Dict[str, bytes], info: str, version: str, releases: str) -> None:
    metadata = _METADATA.format(package=PACKAGE, version=version, releases=releases)
    contents = dict(contents)
    contents[f"{info}/METADATA"] = metadata.encode()
    contents[f"{info}/WHEEL"] = _WHEEL.format(tag=_TAG).encode()
    lines: List[Tuple[str, str, str]] = []
    for name, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append((name, f"sha256={digest}", str(len(data))))
    lines.append((f"{info}/RECORD", "", ""))
    contents[f"{info}/RECORD"] = "".join(",".join(line) + "\n" for line in lines).encode()
    beside = path + ".new"
    with zipfile.ZipFile(beside, "w") as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    os.replace(beside, path)
