"""Compiles the native op for the TensorFlow that is imported, once, with the local C++ compiler."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from keras_optimizers.lowering.native import cache
from keras_optimizers.tensorflow_private import RELEASE

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "source")

# For the bits, no multiplication is joined with an addition. For older systems, memory is given
# back without its size.
_FLAGS = ("-O3", "-DNDEBUG", "-fPIC", "-ffp-contract=off", "-fno-sized-deallocation")
# TensorFlow's packages are compiled so: the same packets, and the same alignment of memory.
_MACHINE_FLAGS: Dict[str, Tuple[str, ...]] = {"x86_64": ("-mavx",)}
_COMPILERS = ("c++", "g++", "clang++")

INSTALL_A_COMPILER = (
    "Debian, Ubuntu: apt-get install g++. Fedora: dnf install gcc-c++. "
    "Another compiler: CXX=/path/to/g++."
)

Tick = Callable[[], None]


class BuildError(Exception):
    """The library cannot be compiled here. The text is a sentence with the reason."""


class NoCompilerError(BuildError):
    """There is no C++ compiler."""


class Compiler(NamedTuple):
    """A C++ compiler: its path, and the line with its name and version that it shows."""

    path: str
    version: str

    @property
    def short_name(self) -> str:
        """Such as `g++ 12.2.0`."""
        numbers = re.findall(r"\d+(?:\.\d+)+", re.sub(r"\(.*?\)", "", self.version))
        return " ".join([os.path.basename(self.path)] + numbers[:1])


def find_compiler() -> Compiler:
    """The compiler that CXX names, or one of the usual names.

    Raises:
        NoCompilerError: If there is none.
        BuildError: If it does not run.
    """
    given = os.environ.get("CXX")
    names: Sequence[str] = (given,) if given else _COMPILERS
    path = next((found for found in map(shutil.which, names) if found), None)
    if path is None:
        looked_for = f"CXX={given}" if given else ", ".join(_COMPILERS)
        raise NoCompilerError(f"no C++ compiler was found (looked for {looked_for})")
    try:
        shown = subprocess.check_output([path, "--version"], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"the C++ compiler {path} does not run: {error}") from error
    return Compiler(str(path), shown.decode(errors="replace").split("\n")[0].strip())


def source_files(*suffixes: str) -> List[str]:
    """Paths of the files of the C++ source with one of the endings."""
    names = sorted(os.listdir(SOURCE)) if os.path.isdir(SOURCE) else []
    return [os.path.join(SOURCE, name) for name in names if name.endswith(suffixes)]


def source_hash() -> str:
    """A hash of the C++ source: libraries made from another source are not used."""
    found = hashlib.sha256()
    for path in source_files(".cc", ".h"):
        found.update(os.path.basename(path).encode() + b"\0")
        with open(path, "rb") as file:
            found.update(file.read() + b"\0")
    return found.hexdigest()


def compile_flags() -> List[str]:
    """The compiler's flags, without those that only name folders."""
    ours = [f"-std={RELEASE.cpp_standard}", *_FLAGS]
    ours += _MACHINE_FLAGS.get(platform.machine(), ())
    # TensorFlow's come last: where it names a standard of its own, that counts.
    return ours + [flag for flag in tf.sysconfig.get_compile_flags() if not flag.startswith("-I")]


def wanted() -> cache.Record:
    """What the record of a library must say if the library is to run here."""
    return {
        "tensorflow": tf.__version__,
        "abi": tf.sysconfig.CXX11_ABI_FLAG,
        "machine": platform.machine(),
        "flags": compile_flags(),
        "source": source_hash(),
    }


def build(folder: Optional[str] = None, again: bool = False, tick: Tick = lambda: None) -> str:
    """Compile the op, unless that has been done; the library's path.

    Where several processes want it at once, one compiles and the others wait.

    Arguments:
        folder: where to keep the library; None: the cache.
        again: compile even if a library is there, or an earlier attempt has failed.
        tick: called a few times a second while the compiler runs.

    Raises:
        BuildError: If there is no compiler, no folder to write to, or the compiler fails. An
            attempt that has failed is remembered, for it takes as long as one that succeeds.
    """
    if sys.platform != "linux":
        raise BuildError(f"it is made for Linux, not for {sys.platform!r}")
    compiler = find_compiler()
    record = dict(wanted(), compiler=compiler.version)
    folder = cache.folder() if folder is None else os.path.abspath(folder)
    stem = os.path.join(folder, _name(record))
    library = stem + cache.LIBRARY_SUFFIX
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with cache.locked(stem + ".lock"):
            if not again:
                if cache.record_of(library) is not None:
                    return library
                failed = _earlier_failure(stem)
                if failed:
                    raise BuildError(f"{failed} (`keras-optimizers build` tries again)")
            _build(compiler, record, stem, tick)
    except OSError as error:
        raise BuildError(
            f"the folder {folder!r} cannot be used: {error.strerror or error} "
            f"({cache.FOLDER_VARIABLE} names another)"
        ) from error
    return library


def _earlier_failure(stem: str) -> Optional[str]:
    record = cache.read_record(stem + ".failed" + cache.RECORD_SUFFIX)
    return None if record is None else record.get("error")


def _name(record: cache.Record) -> str:
    digest = hashlib.sha256(repr(sorted(record.items())).encode()).hexdigest()
    return f"tensorflow-{record['tensorflow']}-abi{record['abi']}-{digest[:16]}"


def _build(compiler: Compiler, record: cache.Record, stem: str, tick: Tick) -> None:
    """Compile beside the place, and then rename."""
    failed = stem + ".failed" + cache.RECORD_SUFFIX
    with tempfile.TemporaryDirectory(dir=os.path.dirname(stem), prefix="building-") as scratch:
        try:
            made = _compile(compiler, record["flags"], scratch, tick)
        except BuildError as error:
            cache.write_record(failed, dict(record, error=str(error)))
            raise
        sha256 = cache.checksum(made)
        os.replace(made, stem + cache.LIBRARY_SUFFIX)
    cache.write_record(stem + cache.RECORD_SUFFIX, dict(record, sha256=sha256))
    if os.path.exists(failed):
        os.unlink(failed)


def _compile(compiler: Compiler, flags: Sequence[str], scratch: str, tick: Tick) -> str:
    """Compile all files, as many at a time as there are cores, and link them; the result's path."""
    sources = source_files(".cc")
    if not sources:
        raise BuildError(f"there is no C++ source in {SOURCE!r}")
    folders = [flag for flag in tf.sysconfig.get_compile_flags() if flag.startswith("-I")]
    commands, objects = [], []
    for path in sources:
        name = os.path.basename(path)[: -len(".cc")]
        objects.append(os.path.join(scratch, name + ".o"))
        commands.append([compiler.path, *flags, *folders, "-c", path, "-o", objects[-1]])
    _run_all(commands, scratch, tick)
    library = os.path.join(scratch, "library.so")
    link = [compiler.path, "-shared", *flags, *objects, "-o", library]
    _run_all([link + tf.sysconfig.get_link_flags()], scratch, tick)
    return library


def _run_all(commands: Sequence[List[str]], scratch: str, tick: Tick) -> None:
    """Run the commands, as many at a time as there are cores.

    Raises:
        BuildError: If one fails, with the first error that it shows.
    """
    environment = dict(os.environ, LC_ALL="C", TMPDIR=scratch)
    waiting = list(commands)
    running: List[Tuple[List[str], "subprocess.Popen[bytes]", str]] = []
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                log = os.path.join(scratch, f"{len(waiting)}.log")
                with open(log, "wb") as output:
                    process = subprocess.Popen(
                        waiting[0],
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=environment,
                    )
                running.append((waiting.pop(0), process, log))
            time.sleep(0.05)
            tick()
            for command, process, log in list(running):
                if process.poll() is None:
                    continue
                running.remove((command, process, log))
                if process.returncode:
                    raise BuildError(_failure(command, process.returncode, log))
    finally:
        for _, process, _ in running:
            process.kill()
            process.wait()


def _failure(command: Sequence[str], status: int, log: str) -> str:
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in file if line.strip()]
    errors = [line for line in lines if "error" in line] or lines[-1:] or [f"status {status}"]
    return f"{os.path.basename(command[0])} failed: {errors[0]}"
