"""Recordings as files: what happened as JSON, beside one `arrays.npz` a folder.

Arrays are kept by the hash of their content. So versions that agree to the bit share them, and a
damaged array is noticed when it is read.
"""

import contextlib
import hashlib
import io
import json
import os
import zipfile
import zlib
from typing import Any, Dict, Iterable, Iterator, List, Optional

import numpy as np

from keras_optimizers.conformance.recorder.training import Trace

FORMAT = 1
# Raised when the recorder records something else than before under the same name.
RECORDER = 1
ARRAYS = "arrays.npz"


class RecordingError(Exception):
    """A recording that is missing, damaged or foreign; the text says what to do.

    Examples:
        >>> from keras_optimizers import conformance
        >>> with open("mine.json", "w") as opened:
        ...     _ = opened.write("not a recording")
        >>> try:
        ...     conformance.load_reference("mine.json")
        ... except conformance.RecordingError as error:
        ...     print(error)
        mine.json cannot be read as a recording (Expecting value: line 1 column 1 (char 0))
    """


class ArrayPool:
    """Arrays by the hash of dtype, shape and bytes."""

    def __init__(self) -> None:
        self._arrays: Dict[str, np.ndarray] = {}

    def add(self, array: np.ndarray) -> str:
        """Keep `array`; its key."""
        key = key_of(array)
        self._arrays.setdefault(key, np.asarray(array))
        return key

    def get(self, key: str) -> np.ndarray:
        """The array of a key.

        Raises:
            RecordingError: If there is none, or its content is not what was recorded.
        """
        if key not in self._arrays:
            raise RecordingError("the array %s is missing" % key)
        array = self._arrays[key]
        if key_of(array) != key:
            raise RecordingError("the array %s is damaged" % key)
        return array

    def keep(self, keys: Iterable[str]) -> None:
        """Forget all arrays but those of `keys`."""
        wanted = set(keys)
        self._arrays = {key: a for key, a in self._arrays.items() if key in wanted}

    def save(self, path: str) -> None:
        """Write all arrays: one flat array a dtype, and an index."""
        index, flat = {}, {}  # type: Dict[str, Any], Dict[str, List[np.ndarray]]
        sizes: Dict[str, int] = {}
        for key in sorted(self._arrays):
            array = self._arrays[key]
            dtype = array.dtype.name
            index[key] = [dtype, sizes.get(dtype, 0), list(array.shape)]
            sizes[dtype] = sizes.get(dtype, 0) + array.size
            flat.setdefault(dtype, []).append(array.ravel())
        members = {dtype: _planes(np.concatenate(parts)) for dtype, parts in flat.items()}
        text = json.dumps(index, sort_keys=True).encode()
        members["index"] = np.frombuffer(text, np.uint8)
        with _written_whole(path, "wb") as opened:
            np.savez_compressed(opened, **members)

    @classmethod
    def load(cls, path: str) -> "ArrayPool":
        """The arrays that `save` wrote.

        Raises:
            RecordingError: If the file cannot be read.
        """
        pool = cls()
        try:
            with open(path, "rb") as opened, np.load(io.BytesIO(opened.read())) as found:
                index = json.loads(found["index"].tobytes().decode())
                flat: Dict[str, np.ndarray] = {}
                for key, (dtype, start, shape) in index.items():
                    if dtype not in flat:
                        flat[dtype] = _from_planes(found[dtype], dtype)
                    size = int(np.prod(shape, dtype=np.int64))
                    pool._arrays[key] = flat[dtype][start : start + size].reshape(shape)
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            EOFError,  # of an empty file, from NumPy 1.22 on
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise RecordingError("%s cannot be read (%s)" % (path, error)) from error
        return pool


@contextlib.contextmanager
def _written_whole(path: str, mode: str) -> Iterator[Any]:
    """A file to write to, which takes the name `path` when it is finished and on the disk."""
    written = path + ".partial"
    try:
        with open(written, mode) as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(written, path)
    except BaseException:
        if os.path.exists(written):
            os.remove(written)
        raise


def _planes(flat: np.ndarray) -> np.ndarray:
    """The bytes of all numbers, first bytes first: exponents beside exponents pack better."""
    return flat.view(np.uint8).reshape(-1, flat.itemsize).T.copy()


def _from_planes(planes: np.ndarray, dtype: str) -> np.ndarray:
    return np.ascontiguousarray(planes.T).view(dtype).ravel()


def key_of(array: np.ndarray) -> str:
    """The hash by which an array is kept."""
    array = np.asarray(array)
    what = "%s %s " % (array.dtype.name, array.shape)
    return hashlib.sha256(what.encode() + array.tobytes()).hexdigest()[:16]


class Recording:
    """What one version, or one optimizer, did.

    Attributes:
        facts: all that the JSON file says: name, title, versions, processor, threads, and under
            "cases" the keys of every case's arrays, or the error with which it was refused.
        pool: the arrays.
    """

    def __init__(self, facts: Dict[str, Any], pool: ArrayPool, path: str = "") -> None:
        self.facts, self.pool, self.path = facts, pool, path

    @property
    def name(self) -> str:
        """Such as "tf-1.10"."""
        return str(self.facts["name"])

    def case_names(self) -> List[str]:
        """The cases that it holds, refused ones too."""
        return list(self.facts["cases"])

    def refusal(self, case: str) -> Optional[List[str]]:
        """Type and text of the error where the recorded class refused the case's arguments."""
        return self.facts["cases"].get(case, {}).get("refused")

    def trace(self, case: str) -> Trace:
        """What was recorded of a case.

        Raises:
            RecordingError: If it is not there or damaged.
        """
        record = self.facts["cases"].get(case)
        if record is None or "arrays" not in record:
            raise RecordingError("%s holds no case %r" % (self.path or self.name, case))
        try:
            arrays = {name: self.pool.get(key) for name, key in record["arrays"].items()}
        except RecordingError as error:
            raise RecordingError(
                "%s, case %s: %s. Record it again, or install the package again."
                % (self.path or self.name, case, error)
            ) from error
        return Trace(case, record["class"], arrays, record["weights"], record["config"])

    def add(self, trace: Trace) -> None:
        """Record a case."""
        self.facts["cases"][trace.case] = {
            "class": trace.class_name,
            "arrays": {name: self.pool.add(array) for name, array in trace.arrays.items()},
            "weights": list(trace.weights),
            "config": trace.config,
        }

    def keys(self) -> List[str]:
        """The keys of all its arrays."""
        records = self.facts["cases"].values()
        return [key for record in records for key in record.get("arrays", {}).values()]

    def save(self, folder: str) -> str:
        """Write it into a folder of recordings; the path of its JSON file.

        Arrays that no recording of the folder needs any more are removed there.
        """
        if not os.path.isdir(folder):
            os.makedirs(folder)
        self.facts["hash"] = hash_of(self.facts)
        path = os.path.join(folder, self.name + ".json")
        arrays = os.path.join(folder, ARRAYS)
        pool = ArrayPool.load(arrays) if os.path.exists(arrays) else ArrayPool()
        for key in self.keys():
            pool.add(self.pool.get(key))
        wanted = set(self.keys())
        for other in sorted(os.listdir(folder)):
            if other.endswith(".json") and other != self.name + ".json":
                wanted.update(Recording(read_facts(os.path.join(folder, other)), pool).keys())
        pool.keep(wanted)
        pool.save(arrays)
        with _written_whole(path, "w") as opened:
            json.dump(self.facts, opened, indent=1, sort_keys=True)
            opened.write("\n")
        return path


def hash_of(facts: Dict[str, Any]) -> str:
    """The hash of what was recorded: cases, errors and signatures, without when and where."""
    content = {
        name: facts.get(name) for name in ("cases", "errors", "errors_by_class", "signatures")
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_facts(path: str) -> Dict[str, Any]:
    """The JSON part of a recording.

    Raises:
        RecordingError: If it is not there, cannot be read or is something else.
    """
    if os.path.isdir(path):
        raise RecordingError("%s is a directory. Name a recording's .json file." % path)
    if os.path.exists(path) and not os.path.getsize(path):
        raise RecordingError("%s cannot be read as a recording: the file is empty" % path)
    try:
        with open(path, encoding="utf-8") as opened:
            facts = json.load(opened)
    except (OSError, ValueError) as error:
        raise RecordingError("%s cannot be read as a recording (%s)" % (path, error)) from error
    if not isinstance(facts, dict) or not {"format", "name", "cases"} <= set(facts):
        raise RecordingError("%s is no recording of this kit" % path)
    if facts["format"] != FORMAT:
        raise RecordingError(
            "%s has the format %r, and this version of the kit reads %r. Record it again."
            % (path, facts["format"], FORMAT)
        )
    if facts.get("hash") != hash_of(facts):
        raise RecordingError(
            "%s was changed after it was recorded: its hash does not fit. Record it again." % path
        )
    return facts


def load(path: str) -> Recording:
    """A recording by the path of its JSON file.

    Raises:
        RecordingError: If a file is missing, damaged or foreign.
    """
    facts = read_facts(path)
    folder = os.path.dirname(os.path.abspath(path))
    return Recording(facts, ArrayPool.load(os.path.join(folder, ARRAYS)), path)
