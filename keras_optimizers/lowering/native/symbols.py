"""Which system libraries, and which versions of them, a compiled library asks for."""

import re
import subprocess
from typing import Dict, List, Sequence, Tuple

# manylinux2014 (PEP 599): the newest version of each that every such system has.
MANYLINUX2014 = {
    "GLIBC": (2, 17),
    "GLIBCXX": (3, 4, 19),
    "CXXABI": (1, 3, 7),
    "GCC": (4, 8, 0),
}
_SYSTEM_LIBRARIES = (
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "librt.so.1",
    "libpthread.so.0",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "ld-linux-x86-64.so.2",
)
# TensorFlow has loaded this one before.
_OF_TENSORFLOW = re.compile(r"libtensorflow_framework\.so\.\d+$")


class SymbolsError(Exception):
    """The symbols cannot be read. The text is a sentence with the reason."""


def newest_versions(library: str) -> Dict[str, Tuple[int, ...]]:
    """The newest version of each of glibc, libstdc++ ... that the library asks for.

    Raises:
        SymbolsError: If `readelf` is missing or cannot read the library.
    """
    found: Dict[str, Tuple[int, ...]] = {}
    shown = _readelf("--version-info", library)
    for name, numbers in re.findall(r"Name: ([A-Z]+)_([\d.]+)", shown):
        version = tuple(int(number) for number in numbers.split("."))
        found[name] = max(version, found.get(name, version))
    return found


def needed_libraries(library: str) -> List[str]:
    """The names of the libraries that it asks for.

    Raises:
        SymbolsError: As `newest_versions`.
    """
    return re.findall(r"\(NEEDED\).*\[(.*)\]", _readelf("--dynamic", library))


def beyond_manylinux2014(library: str) -> List[str]:
    """What the library asks for that manylinux2014 does not promise, such as `GLIBC_2.34`.

    Raises:
        SymbolsError: As `newest_versions`.
    """
    found = []
    for name, version in newest_versions(library).items():
        if version > MANYLINUX2014.get(name, ()):
            found.append(f"{name}_{'.'.join(map(str, version))}")
    for name in needed_libraries(library):
        if name not in _SYSTEM_LIBRARIES and not _OF_TENSORFLOW.match(name):
            found.append(name)
    return found


def _readelf(option: str, library: str) -> str:
    command: Sequence[str] = ["readelf", "--wide", option, library]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    except FileNotFoundError as error:
        raise SymbolsError(
            "readelf was not found, which reads a library's symbols (Debian, Ubuntu: apt-get "
            "install binutils; Fedora: dnf install binutils)"
        ) from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise SymbolsError(f"readelf cannot read {library!r}: {said}") from error
    return done.stdout.decode(errors="replace")
