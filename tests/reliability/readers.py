"""What reads foreign bytes, one function a kind: the targets of fuzzing.

    python -m tests.reliability.readers --count 20000               # random changes, any Python
    python tests/reliability/coverage_guided.py archive             # atheris, see there

Each target takes bytes, makes a file of them where a file is read, and reads that. It may raise
what the reader promises to raise, and nothing else. HDF5 itself is a library in C, whose crashes a
process of its own keeps away: tests/checkpoint/fuzz.py covers that.
"""

import argparse
import glob
import io
import json
import os
import random
import struct
import sys
import tempfile
import traceback
import warnings
import zipfile

import numpy as np

from keras_optimizers.checkpoint import CheckpointError, migrate, read
from keras_optimizers.checkpoint.architecture import model_config
from keras_optimizers.checkpoint.storage import object_graphs, protobuf, tensor_tables
from keras_optimizers.checkpoint.storage.crc32c import crc32c, masked
from keras_optimizers.checkpoint.storage.tensor_tables import TEXT, Table
from keras_optimizers.conformance import references

FOLDER = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(FOLDER), "eras", "sources")
MODELS = os.path.join(os.path.dirname(FOLDER), "checkpoint", "model_configs")


def _bytes_of(*names):
    with open(os.path.join(SOURCES, *names), "rb") as opened:
        return opened.read()


# TensorFlow's tables: the checksums are made right, so that what lies behind them is reached.


def index_of(block):
    """The bytes of PREFIX.index with `block` as its one block."""

    def with_trailer(data):
        return data + b"\0" + struct.pack("<I", masked(crc32c(data + b"\0")))

    def handle(offset, size):
        return _varint(offset) + _varint(size)

    first = with_trailer(block)
    entry = handle(0, len(block))
    index = b"\0\1" + _varint(len(entry)) + b"z" + entry + struct.pack("<II", 0, 1)
    footer = handle(0, 0) + handle(len(first), len(index))
    footer += bytes(40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57)
    return first + with_trailer(index) + footer


def _varint(number):
    written = b""
    while number >= 0x80:
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])


def first_block(index):
    """The bytes of the first block of a PREFIX.index, which in a small one is the only one."""
    end = len(index) - 48
    for size in range(4, end):
        stored = struct.unpack("<I", index[size + 1 : size + 5])[0]
        if index[size] == 0 and masked(crc32c(index[: size + 1])) == stored:
            return index[:size]
    raise ValueError("no block")


def table(data, folder):
    """A checkpoint of TensorFlow whose index holds `data`."""
    prefix = os.path.join(folder, "table")
    with open(prefix + ".index", "wb") as opened:
        opened.write(index_of(data))
    with open(prefix + ".data-00000-of-00001", "wb") as opened:
        opened.write(bytes(64))
    found = Table(prefix)
    for name, entry in found.entries.items():
        try:
            if entry.dtype is not None:
                (found.read_texts if entry.dtype == TEXT else found.read)(name)
        except (ValueError, OSError):
            pass
    read(prefix, class_name="Adam")


def checkpoint_graph(data, folder):
    """The graph of objects that a checkpoint holds."""
    object_graphs.parse_checkpoint_graph(data)


def block_of(entries):
    """A block of a table."""
    written = b"".join(
        b"\0" + _varint(len(key)) + _varint(len(value)) + key + value for key, value in entries
    )
    return written + struct.pack("<II", 0, 1)


def entry_of(kind, shape, offset, data, slices=()):
    """A tensor's entry in an index, which lies at `offset` of the data file."""
    dimensions = [(2, protobuf.written([(1, extent)])) for extent in shape]
    fields = [(1, kind), (2, protobuf.written(dimensions)), (4, offset), (5, len(data))]
    places = [[(1, protobuf.written(zip((1, 2), extent))) for extent in one] for one in slices]
    cut = protobuf.written((7, protobuf.written(place)) for place in places)
    checksum = b"" if slices else struct.pack("<BI", 6 << 3 | 5, masked(crc32c(data)))
    return protobuf.written(fields) + checksum + cut


def object_checkpoint(data, folder):
    """A checkpoint whose graph of objects is `data`, read, and written with the other optimizer."""
    values = _bytes_of("object-2.15", "adam.data-00000-of-00001")
    length = _varint(len(data))
    checked = struct.pack("<I", len(data))
    checked += struct.pack("<I", masked(crc32c(checked)))
    described = entry_of(7, (), len(values), checked + data)  # with the checksum of a text
    described = described.replace(
        protobuf.written([(5, len(checked + data))]),
        protobuf.written([(5, len(length) + 4 + len(data))]),
    )
    entries = tensor_tables._entries(_bytes_of("object-2.15", "adam.index"))
    graph = object_graphs.OBJECT_GRAPH.encode()
    prefix = os.path.join(folder, "objects")
    with open(prefix + ".index", "wb") as opened:
        block = block_of((key, described if key == graph else held) for key, held in entries)
        opened.write(index_of(block))
    with open(prefix + ".data-00000-of-00001", "wb") as opened:
        opened.write(values + length + checked[4:] + data)
    assert Table(prefix).read_text(object_graphs.OBJECT_GRAPH) == data
    target = os.path.join(folder, "written")
    for path in glob.glob(target + ".*"):
        os.remove(path)
    migrate(prefix, target, "checkpoint-2.11", read_options={"class_name": "Adam"})


def saved_model(data, folder):
    """A SavedModel's directory whose saved_model.pb is `data`."""
    path = os.path.join(folder, "saved")
    os.makedirs(os.path.join(path, "variables"), exist_ok=True)
    with open(os.path.join(path, "saved_model.pb"), "wb") as opened:
        opened.write(data)
    for ending in (".index", ".data-00000-of-00001"):
        with open(os.path.join(path, "variables", "variables" + ending), "wb") as opened:
            opened.write(_bytes_of("saver-ours", "adam" + ending))
    object_graphs.parse_saved_model(data)
    read(path)


def keras_metadata(data, folder):
    """A SavedModel's keras_metadata.pb."""
    object_graphs.parse_keras_metadata(data)


# JSON.


def _json(data):
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def architecture(data, folder):
    """A model's config, put into the words of other eras."""
    config = _json(data)
    if not isinstance(config, dict):
        return
    for target in model_config.EVERYWHERE:
        model_config.translate(json.loads(json.dumps(config)), target)


def archive(data, folder):
    """A .keras archive: `data` is its config.json, the rest of it is whole."""
    path = os.path.join(folder, "model.keras")
    with zipfile.ZipFile(io.BytesIO(_bytes_of("keras-3", "adam.keras"))) as whole:
        entries = {name: whole.read(name) for name in whole.namelist()}
    entries["config.json"] = data
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    read(path)


def zipped(data, folder):
    """A file that begins as an archive does."""
    path = os.path.join(folder, "model.keras")
    with open(path, "wb") as opened:
        opened.write(data)
    read(path)


def training_config(data, folder):
    """An HDF5 file whose training_config is `data`."""
    import h5py

    path = os.path.join(folder, "model.h5")
    with open(path, "wb") as opened:
        opened.write(_bytes_of("tf-keras-1.10", "adam.h5"))
    with h5py.File(path, "r+") as opened:
        opened.attrs["training_config"] = np.void(data[:60000] or b"0")
    state = read(path)
    for _, _, held in state.arrays():
        held.read()


def recording(data, folder):
    """The JSON file of a recording of the conformance kit."""
    path = os.path.join(folder, "recording.json")
    with open(path, "wb") as opened:
        opened.write(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = references.load_reference(path)
        for name in found.case_names():
            found.refusal(name)


def _hashed(data):
    """A recording's JSON with the hash that its content has, so that what is behind is reached."""
    from keras_optimizers.conformance.recorder.storage import hash_of

    facts = _json(data)
    if isinstance(facts, dict):
        facts["hash"] = hash_of(facts)
    return json.dumps(facts).encode()


def hashed_recording(data, folder):
    """A recording whose hash fits."""
    recording(_hashed(data), folder)


def _seeds_of_architectures():
    found = []
    for path in sorted(glob.glob(os.path.join(MODELS, "*", "*.json"))):
        with open(path, "rb") as opened:
            found.append(opened.read())
    return found


def _config_seeds():
    with zipfile.ZipFile(io.BytesIO(_bytes_of("keras-3", "adam.keras"))) as whole:
        return [whole.read("config.json")]


def _training_seeds():
    import h5py

    found = []
    for names in (("tf-keras-1.10", "adam.h5"), ("optimizer-v2-2.15", "rmsprop_decay.h5")):
        with h5py.File(os.path.join(SOURCES, *names), "r") as opened:
            written = opened.attrs["training_config"]
            found.append(written if isinstance(written, bytes) else written.encode())
    return found


def _object_graph_seed():
    prefix = os.path.join(SOURCES, "object-2.15", "adam")
    return [Table(prefix).read_text(object_graphs.OBJECT_GRAPH)]


def _table_seeds():
    folders = ("saver-ours", "saver-tf-train", "object-1.15")
    found = [first_block(_bytes_of(folder, "adam.index")) for folder in folders]
    return [*found, _partitioned_seed([((0, 2), (0, 2)), ((2, 1), (0, 2))])]


def _partitioned_seed(slices):
    """An index with a float32 of shape (3, 2) in two slices, all zeros."""
    shapes = [tuple(length for _, length in one) for one in slices]
    entries = [(b"", protobuf.written([(1, 1)]))]
    entries += [
        (tensor_tables._slice_key("table", one), entry_of(1, shape, 0, bytes(4 * 2 * shape[0])))
        for one, shape in zip(slices, shapes)
    ]
    return block_of([*entries, (b"table", entry_of(1, (3, 2), 0, b"", slices))])


def _recording_seeds():
    return [
        json.dumps(
            {
                "format": 1,
                "name": "mine",
                "title": "a recording",
                "hash": "",
                "errors": {},
                "signatures": {},
                "cases": {
                    "sgd": {"refused": ["ValueError", "no"]},
                    "adam": {"class": "Adam", "arrays": {"x": "0"}, "weights": [], "config": {}},
                },
            }
        ).encode()
    ]


class Target:
    """A reader, what it may raise, and whole inputs to begin from."""

    def __init__(self, work, raises, seeds):
        self.work, self.raises, self.seeds = work, raises, seeds


PARSED = (ValueError,)  # inside a reader: becomes a CheckpointError on the way out
TARGETS = {
    "table": Target(table, PARSED, _table_seeds),
    "object_checkpoint": Target(object_checkpoint, (CheckpointError,), _object_graph_seed),
    "checkpoint_graph": Target(checkpoint_graph, PARSED, _object_graph_seed),
    "saved_model": Target(saved_model, PARSED, lambda: [b"\x08\x01\x12\x04\x3a\x02\x0a\x00"]),
    "keras_metadata": Target(keras_metadata, PARSED, lambda: [b"\x0a\x06\x10\x01\x2a\x02{}"]),
    "architecture": Target(architecture, PARSED, _seeds_of_architectures),
    "archive": Target(archive, (CheckpointError,), _config_seeds),
    "zipped": Target(zipped, (CheckpointError,), lambda: [_bytes_of("keras-3", "adam.keras")]),
    "training_config": Target(training_config, (CheckpointError,), _training_seeds),
    "recording": Target(recording, (references.RecordingError,), _recording_seeds),
    "hashed_recording": Target(
        hashed_recording, (references.RecordingError, ValueError), _recording_seeds
    ),
}


def try_one(name, data, folder):
    """Give `data` to a target; the traceback where it raises what it must not, else None."""
    target = TARGETS[name]
    try:
        target.work(bytes(data), folder)
    except target.raises:
        return None
    except Exception:
        return traceback.format_exc()
    return None


# Random changes.

_VALUES = [None, -1, 1e308, "", "x" * 300, [], {}, [[[]]], True, {"class_name": 5}, 0, [0], 10**30]
_VALUES += [float("nan"), float("inf"), "Adam", {"config": {}}, [["a", 0, 0]]]


def changed(data, choose):
    """`data` with something changed: a value of its JSON, or some of its bytes."""
    if data[:1] in b"{[" and choose.random() < 0.8:
        try:
            value = json.loads(data.decode())
        except ValueError:
            value = None
        if value:
            for _ in range(choose.choice([1, 1, 1, 2, 4])):
                places = []
                _collect(value, places)
                if not places:
                    break
                owner, key = choose.choice(places)
                kind = choose.random()
                if kind < 0.2:
                    del owner[key]
                elif kind < 0.3 and isinstance(key, str):
                    owner[choose.choice(["class_name", "config", "x", "layers", ""])] = owner[key]
                else:
                    owner[key] = json.loads(json.dumps(choose.choice(_VALUES)))
            return json.dumps(value).encode()
    result = bytearray(data)
    for _ in range(choose.choice([1, 1, 2, 4, 16])):
        place = choose.randrange(len(result) + 1)
        kind = choose.randrange(5)
        if kind == 0 and result:
            result[place % len(result)] ^= 1 << choose.randrange(8)
        elif kind == 1:
            del result[place : place + choose.choice([1, 2, 8, 64])]
        elif kind == 2:
            result[place:place] = bytes(choose.randrange(256) for _ in range(choose.choice([1, 8])))
        elif kind == 3:
            other = choose.randrange(len(result) + 1)
            result[place:place] = result[other : other + choose.choice([4, 16, 64])]
        else:
            result[place : place + 1] = choose.choice([b"\0", b"\xff", b"\x7f", b"\x80"])
    return bytes(result)


def _collect(value, places):
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        places.append((value, key))
        if isinstance(value[key], (dict, list)):
            _collect(value[key], places)


def failures(count, seed, names=tuple(TARGETS)):
    """`count` changed inputs, shared among the targets; a traceback for each kind of failure."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            seeds = TARGETS[name].seeds()
            for number in range(count // len(names)):
                choose = random.Random("%s %d %d" % (name, seed, number))
                data = changed(choose.choice(seeds), choose)
                said = try_one(name, data, folder)
                if said is not None:
                    place = (name, "".join(said.splitlines()[-3:-2]), said.splitlines()[-1][:60])
                    found.setdefault(place, "%s, number %d:\n%s" % (name, number, said))
    return list(found.values())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append")
    options = parser.parse_args()
    names = tuple(options.target or TARGETS)
    found = failures(options.count, options.seed, names)
    print("\n".join(found))
    print(
        "readers: %d inputs for %d readers, %d kinds of failures"
        % (options.count // len(names) * len(names), len(names), len(found))
    )
    return 1 if found else 0


if __name__ == "__main__":
    np.seterr(all="ignore")
    sys.exit(main())
