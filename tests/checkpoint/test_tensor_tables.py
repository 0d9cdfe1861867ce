"""TensorFlow's checkpoint files read without TensorFlow: the same bits, and damage is reported."""

import glob
import os
import random
import shutil

import numpy as np
import pytest

from keras_optimizers.checkpoint import CheckpointError, read
from keras_optimizers.checkpoint.storage import bundles
from keras_optimizers.checkpoint.storage.crc32c import crc32c
from keras_optimizers.checkpoint.storage.object_graphs import OBJECT_GRAPH
from keras_optimizers.checkpoint.storage.tensor_tables import Table
from tests.checkpoint import files, fuzz
from tests.checkpoint.files import archives, problem

ARCHIVED = [
    era
    for era in problem.RELEASE_ERAS
    if era.startswith(("object-", "saved-model-")) and archives.is_recorded(era)
]
FOLDERS = ["saver-1.10", "saver-1.15-v1", "saver-ours", "saver-tf-train", "object-1.15"]
FOLDERS.append("object-2.15")
# Damage to so many files of each kind.
COUNT = 150


@pytest.fixture
def without_tensorflow(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    monkeypatch.setitem(__import__("sys").modules, "tensorflow.compat.v1", None)


def prefixes(era):
    folder = archives.folder_of(era) if era in ARCHIVED else os.path.join(files.SOURCES, era)
    found = glob.glob(os.path.join(folder, "**", "*.index"), recursive=True)
    return sorted(path[: -len(".index")] for path in found)


@pytest.mark.parametrize("era", FOLDERS + ARCHIVED)
def test_every_tensor_of_a_committed_file_has_the_bits_that_tensorflow_reads(era):
    tf = pytest.importorskip("tensorflow")
    assert prefixes(era)
    for prefix in prefixes(era):
        reader, table = tf.train.load_checkpoint(prefix), Table(prefix)
        assert set(table.entries) == set(reader.get_variable_to_shape_map())
        for name, entry in table.entries.items():
            expected = reader.get_tensor(name)
            if entry.dtype == "":
                assert table.read_text(name) == expected
                continue
            found = table.read(name)
            assert (found.dtype, found.shape) == (np.asarray(expected).dtype, np.shape(expected))
            assert found.tobytes() == np.asarray(expected).tobytes()


@pytest.mark.parametrize(
    "path",
    [
        files.source("saver-ours", "adam"),
        files.source("object-1.15", "rmsprop"),
        files.source("saver-tf-train", "adam"),
    ],
    ids=["saver", "object", "tf_train"],
)
def test_a_checkpoint_is_read_alike_with_and_without_tensorflow(path, request):
    pytest.importorskip("tensorflow")
    check_alike(path, files.source("optimizer-v2-1.15", "adam"), request)


@pytest.mark.parametrize("era", ["saved-model-2.0", "saved-model-2.11"])
def test_a_directory_is_read_alike_with_and_without_tensorflow(era, request):
    pytest.importorskip("tensorflow")
    check_alike(archives.file_of(era, "nested_adam"), None, request)


def check_alike(path, model, request):
    expected = read(path, model=model)
    expected_arrays = [(role, name, held.read()) for role, name, held in expected.arrays()]
    request.getfixturevalue("without_tensorflow")
    found = read(path, model=model)
    assert (found.class_name, found.iterations) == (expected.class_name, expected.iterations)
    assert found.hyperparameters == expected.hyperparameters
    found_arrays = [(role, name, held.read()) for role, name, held in found.arrays()]
    assert len(found_arrays) == len(expected_arrays) > 0
    for (role, name, held), (other_role, other_name, other) in zip(found_arrays, expected_arrays):
        assert (role, name) == (other_role, other_name)
        np.testing.assert_array_equal(held, other)


def test_the_checksum_is_that_of_the_standard_and_goes_on_from_another():
    assert crc32c(b"123456789") == 0xE3069283
    data = bytes(random.Random(1).getrandbits(8) for _ in range(5000))
    plain = 0
    for byte in data:
        plain = crc32c(bytes([byte]), plain)
    assert crc32c(data) == plain == crc32c(data[1500:], crc32c(data[:1500]))


def damaged(source, folder, number):
    """A copy of a checkpoint, or of a directory, with damage in one of its files."""
    choose = random.Random(number)
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.isdir(source):
        shutil.copytree(source, folder)
        path = folder
    else:
        os.makedirs(folder)
        for name in glob.glob(source + ".*"):
            shutil.copy(name, folder)
        path = os.path.join(folder, os.path.basename(source))
    held = [
        os.path.join(parent, name)
        for parent, _, names in sorted(os.walk(folder))
        for name in sorted(names)
        if name.endswith((".index", ".pb")) or ".data-" in name
    ]
    victim = choose.choice(held)
    change = choose.choice([fuzz.flip, fuzz.overwrite, fuzz.cut, fuzz.move])
    with open(victim, "rb") as opened:
        before = opened.read()
    after = bytes(change(bytearray(before), choose))
    with open(victim, "wb") as opened:
        opened.write(after)
    return path, victim, before == after


@pytest.mark.parametrize("kind", ["saver", "object", "object-2.11", "directory"])
def test_a_damaged_file_is_refused_and_nothing_else_happens(kind, tmp_path, without_tensorflow):
    source = {
        "saver": files.source("saver-ours", "adam"),
        "object": files.source("object-1.15", "rmsprop"),
        "object-2.11": archives.file_of("object-2.11", "nested_adam"),
        "directory": archives.file_of("saved-model-2.4", "nested_adam"),
    }[kind]
    original = read(source)
    expected = [(role, name, held.read()) for role, name, held in original.arrays()]
    refused = 0
    for number in range(COUNT):
        path, victim, same = damaged(source, str(tmp_path / "damaged"), number)
        try:
            found = [(role, name, held.read()) for role, name, held in read(path).arrays()]
        except CheckpointError:
            refused += 1
            assert not same
            continue
        if ".pb" in victim:
            continue  # it has no checksum: names and numbers may be others
        # The damage is in bytes that nothing reads, or in a tensor of the model that is no slot.
        assert len(found) == len(expected)
        for (role, name, held), (other_role, other_name, other) in zip(found, expected):
            assert (role, name) == (other_role, other_name), number
            np.testing.assert_array_equal(held, other)
    assert refused > COUNT // 3


def rewritten(prefix, target, change):
    """A checkpoint whose index has other entries, with right checksums."""
    import struct

    from keras_optimizers.checkpoint.storage import tensor_tables
    from keras_optimizers.checkpoint.storage.crc32c import masked

    def number(value):
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes(out + bytearray([value]))

    def block(entries):
        content = b"".join(
            number(0) + number(len(key)) + number(len(value)) + key + value
            for key, value in entries
        )
        content += struct.pack("<II", 0, 1)
        return content + b"\0" + struct.pack("<I", masked(crc32c(content + b"\0")))

    with open(prefix + ".index", "rb") as opened:
        entries = [change(key, value) for key, value in tensor_tables._entries(opened.read())]
    data = block(entries)
    handle = number(0) + number(len(data) - 5)
    index = block([(b"\xff", handle)])
    empty = block([])
    start = len(data) + len(index)
    footer = number(start) + number(len(empty) - 5) + number(len(data)) + number(len(index) - 5)
    footer = footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    with open(target + ".index", "wb") as opened:
        opened.write(data + index + empty + footer)
    for path in glob.glob(prefix + ".data-*"):
        shutil.copy(path, target + path[len(prefix) :])


@pytest.mark.parametrize("how", ["as_it_is", "enormous", "slices", "far", "shards"])
def test_an_index_with_right_checksums_that_asks_for_too_much_is_refused(
    how, tmp_path, without_tensorflow
):
    prefix = files.source("object-1.15", "rmsprop")
    # float32 of shape (2**30, 2**30); a slice; an offset beyond the file; a thousand files.
    enormous = b"\x08\x01\x12\x0e" + 2 * b"\x12\x05\x08\x80\x80\x80\x80\x04"[:7]
    more = {"slices": b"\x3a\x00", "far": b"\x20\xff\xff\xff\xff\x0f"}

    def change(key, value):
        if how == "shards" and not key:
            return key, value + b"\x08\xe8\x07"
        if how == "enormous" and key.startswith(b"layer"):
            return key, enormous
        return key, value + (more.get(how, b"") if key.startswith(b"layer") else b"")

    target = str(tmp_path / "rewritten")
    rewritten(prefix, target, change)
    if how == "as_it_is":
        assert read(target).iterations == problem.SAVE_AFTER
        return
    with pytest.raises(CheckpointError, match="damaged or incomplete"):
        [held.read() for _, _, held in read(target).arrays()]


def test_a_file_without_an_object_graph_has_no_objects(without_tensorflow):
    assert bundles.open_object_graph(files.source("saver-ours", "adam")) == []
    assert OBJECT_GRAPH in Table(files.source("object-1.15", "rmsprop")).entries
