"""The file of a `.keras` archive: a zip of metadata.json, config.json and model.weights.h5.

config.json holds the architecture and the compile arguments. Everything is checked before it is
unpacked, for an archive may come from anywhere.
"""

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from typing import Any, Dict, Iterator, Optional

from keras_optimizers.checkpoint.architecture.layers import DEEPEST
from keras_optimizers.checkpoint.storage import hdf5

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


_LARGEST_JSON = 1 << 26


# The layers' group, and what Keras 2.13 calls it.
_FOLDER, _FOLDER_2_13 = "layers", "_layer_checkpoint_dependencies"


class Archive:
    """An open .keras archive: its JSON files and its weights. Use it as a context manager."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder: Optional[str] = None
        self._zip: Optional[zipfile.ZipFile] = None
        self.weights: Any = None
        with _zip_reported(path):
            packed = self._zip = zipfile.ZipFile(path)
            try:
                _check_entries(packed)
                self.config = _json_entry(packed, CONFIG)
                self.metadata = _json_entry(packed, METADATA)
                self._open_weights(packed)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive; arrays that were not read are gone then."""
        if self.weights is not None:
            with contextlib.suppress(Exception):
                self.weights.close()
            self.weights = None
        if self._zip is not None:
            self._zip.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _open_weights(self, packed: zipfile.ZipFile) -> None:
        """Unpack the entry into a temporary folder: h5py needs a file to seek in."""
        self._folder = tempfile.mkdtemp(".partial")
        unpacked = os.path.join(self._folder, "weights.h5")
        with packed.open(WEIGHTS) as entry, open(unpacked, "wb") as target:
            shutil.copyfileobj(entry, target, 1 << 20)
        self.weights = hdf5.open_checked(unpacked, os.path.getsize(unpacked), self.path)
        if _FOLDER_2_13 in self.weights:
            self.weights.close()
            with hdf5.require_h5py().File(unpacked, "r+") as copy:
                _rename_layers(copy)
            self.weights = hdf5.open_checked(unpacked, os.path.getsize(unpacked), self.path)


def _rename_layers(group: Any, depth: int = 0) -> None:
    """Give the layers the names of later Kerases: 2.13 counts by two (dense, dense_2, dense_4)."""
    if depth > DEEPEST:
        raise ValueError("the model is nested too deeply")
    if _FOLDER_2_13 in group:
        group.move(_FOLDER_2_13, _FOLDER)
    layers = group.get(_FOLDER)
    if layers is None:
        return
    names = list(layers)
    ranks: Dict[str, int] = {}
    for name in sorted(names, key=_number):
        base = name.rpartition("_")[0]
        if _number(name) and base in names and f"{base}_1" not in names:
            ranks[base] = ranks.get(base, 0) + 1
            layers.move(name, f"{base}_{ranks[base]}")
    for name in layers:
        _rename_layers(layers[name], depth + 1)


def _number(name: str) -> int:
    """What follows the last "_", as a number; 0 where it is none."""
    ending = name.rpartition("_")[2]
    return int(ending) if ending.isdigit() and "_" in name else 0


def _check_entries(packed: zipfile.ZipFile) -> None:
    """Only entries that an archive of Keras has; nothing is unpacked under a name of theirs."""
    entries = packed.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError("it holds a name twice")
    for name in (CONFIG, WEIGHTS):
        if name not in names:
            raise ValueError(f"it has no {name}")
    for entry in entries:
        if entry.flag_bits & 1:
            raise ValueError("it is encrypted")
        size, stored = entry.file_size, max(entry.compress_size, 1)
        if size > max(1 << 28, 100 * stored):
            raise ValueError(f"{entry.filename!r} unpacks to {size} bytes from {stored}")


def _json_entry(packed: zipfile.ZipFile, name: str) -> Dict[str, Any]:
    if name not in packed.namelist():
        return {}
    if packed.getinfo(name).file_size > _LARGEST_JSON:
        raise ValueError(f"{name} is larger than any model's")
    try:
        value = json.loads(packed.read(name).decode("utf-8"))
    except RecursionError as error:
        raise ValueError(f"{name} is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no object")
    return value


@contextlib.contextmanager
def _zip_reported(path: str) -> Iterator[None]:
    with hdf5.reported(path):
        try:
            yield
        except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as error:
            raise ValueError(str(error) or type(error).__name__) from error
        except Exception as error:
            if type(error).__module__ in ("zlib", "lzma", "_lzma", "struct"):
                raise ValueError(str(error)) from error
            raise


def is_archive(path: str) -> bool:
    """Whether the file begins as zip archives do."""
    try:
        with open(path, "rb") as opened:
            return opened.read(2) == b"PK"
    except OSError:
        return False
