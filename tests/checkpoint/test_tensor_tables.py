"""TensorFlow's checkpoint files, read by us: the same bits, and damage is reported."""

import glob
import os
import random
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest

from keras_optimizers.checkpoint import Array, CheckpointError, migrate, read
from keras_optimizers.checkpoint.storage import (
    bundles,
    object_graphs,
    protobuf,
    supervision,
    tensor_tables,
)
from keras_optimizers.checkpoint.storage.crc32c import crc32c, masked
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
            if entry.dtype == "string":
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
        archives.file_of("object-2.11", "nested_adam"),
        archives.file_of("saved-model-2.4", "nested_adam"),
    ],
    ids=["saver", "object", "tf_train", "object-2.11", "directory"],
)
def test_tensorflow_s_reader_which_crafted_files_crash_is_never_called(path):
    pytest.importorskip("tensorflow")
    code = (
        "import sys; from keras_optimizers import checkpoint\n"
        "state = checkpoint.read(sys.argv[1])\n"
        "print(sum(held.read().size for _, _, held in state.arrays()) > 0)\n"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=fuzz.ROOT),
    )
    assert done.stdout.decode().split() == ["True", "False"]


def saved(tf, prefix, tensors):
    """A checkpoint of NumPy arrays that TensorFlow writes."""
    tf = tf.compat.v1
    with tf.Graph().as_default(), tf.Session() as session:
        names = sorted(tensors)
        save = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.constant(tensors[name]) for name in names],
        )
        session.run(save)
    return prefix


@pytest.mark.parametrize("extent", [3, 60, 64, 70, 8191, 8192, 20000])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_partitioned_variable_is_put_together_as_tensorflow_does(extent, axis, tmp_path):
    """The places of the slices are written in one, two or three bytes each."""
    tf = pytest.importorskip("tensorflow").compat.v1
    shape = (extent, 5) if axis == 0 else (5, extent)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(7)
        tf.get_variable(
            "table", shape, partitioner=tf.fixed_size_partitioner(3, axis=axis), use_resource=True
        )
        tf.get_variable("plain", (2,))
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / "parts"))
    table, reader = Table(prefix), tf.train.load_checkpoint(prefix)
    assert table.entries["table"].shape == shape and len(table.entries["table"].slices) == 3
    for name in ("table", "plain"):
        np.testing.assert_array_equal(table.read(name), reader.get_tensor(name))


def test_adam_of_a_partitioned_variable_goes_into_another_file(tmp_path):
    tf = pytest.importorskip("tensorflow").compat.v1
    with tf.Graph().as_default(), tf.Session() as session:
        table = tf.get_variable("table", (7, 2), partitioner=tf.fixed_size_partitioner(3))
        rows = tf.nn.embedding_lookup(table, [0, 4, 6], partition_strategy="div")
        train = tf.train.AdamOptimizer().minimize(tf.reduce_sum(rows**2))
        session.run(tf.global_variables_initializer())
        session.run(train)
        prefix = tf.train.Saver().save(session, str(tmp_path / "parts"))
    target = str(tmp_path / "whole")
    assert migrate(prefix, target, "saver-tf-train").written
    before, after = tf.train.load_checkpoint(prefix), tf.train.load_checkpoint(target)
    for name in ("table", "table/Adam", "table/Adam_1"):
        assert before.get_tensor(name).any()
        np.testing.assert_array_equal(before.get_tensor(name), after.get_tensor(name))


def test_a_checkpoint_of_many_data_files_is_read(tmp_path, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(bundles, "_PORTION", 100)
    arrays = {"name_%d" % n: np.arange(30 * n, dtype=np.float32) for n in range(12)}
    prefix = str(tmp_path / "many")
    bundles.write_bundle(prefix, [(name, Array.of(held)) for name, held in arrays.items()])
    assert len(glob.glob(prefix + ".data-*")) > 5
    reader, found = tf.train.load_checkpoint(prefix), bundles.open_bundle(prefix)
    for name, held in arrays.items():
        np.testing.assert_array_equal(found[name].read(), held)
        np.testing.assert_array_equal(found[name].read(), reader.get_tensor(name))
    os.remove(sorted(glob.glob(prefix + ".data-*"))[3])
    with pytest.raises(CheckpointError, match="there is no file"):
        [one.read() for one in bundles.open_bundle(prefix).values()]


def test_texts_complex_numbers_and_bfloat16_are_read_as_tensorflow_reads_them(tmp_path):
    tf = pytest.importorskip("tensorflow")
    texts = np.array([[b"", b"a" * 300], [b"\0\xff", "ü".encode()]], object)
    tensors = {
        "texts": texts,
        "one": np.array(b"text", object),
        "none": np.zeros((0, 3), object),
        "complex": np.array([1 + 2j, -0.0j], np.complex64),
        "wide": np.array(3 - 4j, np.complex128),
        "half": np.array([1.5, -2.25, np.inf]).astype(tf.bfloat16.as_numpy_dtype),
    }
    prefix = saved(tf, str(tmp_path / "others"), dict(tensors, real=np.float32([1])))
    reader, found = tf.train.load_checkpoint(prefix), bundles.open_others(prefix)
    assert set(found) == set(tensors)
    for name, held in tensors.items():
        value, expected = found[name].read(), np.asarray(reader.get_tensor(name))
        assert value.shape == held.shape and value.dtype == held.dtype
        assert value.tolist() == expected.tolist() == held.tolist()
    assert set(bundles.open_bundle(prefix)) == {"real"}


def test_a_text_whose_bytes_changed_is_refused(tmp_path):
    tf = pytest.importorskip("tensorflow")
    texts = np.array([b"first", b"second"], object)
    prefix = saved(tf, str(tmp_path / "texts"), {"texts": texts})
    path = prefix + ".data-00000-of-00001"
    with open(path, "rb") as opened:
        whole = opened.read()
    for place in range(len(whole)):
        with open(path, "wb") as opened:
            opened.write(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"checksum of 'texts'|'texts' is cut off"):
            bundles.open_others(prefix)


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
def test_a_damaged_file_is_refused_and_nothing_else_happens(kind, tmp_path):
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


def rewritten(prefix, target, change, compression=b"\0"):
    """A checkpoint whose index has other entries, with right checksums."""

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
        content += compression
        return content + struct.pack("<I", masked(crc32c(content)))

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
def test_an_index_with_right_checksums_that_asks_for_too_much_is_refused(how, tmp_path):
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


def test_slots_of_another_shape_than_their_parameters_are_refused(tmp_path):
    """The graph of objects has a right checksum, and says that a slot belongs elsewhere."""
    pytest.importorskip("tensorflow")
    source, target = files.source("object-2.15", "adam"), str(tmp_path / "exchanged")
    nodes = list(object_graphs.parse_checkpoint_graph(Table(source).read_text(OBJECT_GRAPH)))
    (place,) = (number for number, node in enumerate(nodes) if node.slots)
    first, last = nodes[place].slots[0], nodes[place].slots[-1]
    exchanged = [(first[0], *one[1:]) if one[0] == last[0] else one for one in nodes[place].slots]
    exchanged = [
        (last[0], *new[1:]) if old[0] == first[0] else new
        for old, new in zip(nodes[place].slots, exchanged)
    ]
    nodes[place] = nodes[place]._replace(slots=exchanged)
    tensors = bundles.open_bundle(source)
    graph = np.asarray(object_graphs.written_checkpoint_graph(nodes), object)
    bundles.write_bundle(target, [*sorted(tensors.items()), (OBJECT_GRAPH, Array.of(graph))])
    with pytest.raises(CheckpointError, match=r"first_moment of '.*' has the shape"):
        read(target, class_name="Adam")


@pytest.mark.parametrize("how", ["as_it_is", "twice", "missing", "short", "dtype", "start"])
def test_slices_that_are_not_the_whole_tensor_are_refused(how, tmp_path):
    tf = pytest.importorskip("tensorflow").compat.v1
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("table", (6, 2), partitioner=tf.fixed_size_partitioner(3))
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / "parts"))

    def change(key, value):
        fields = protobuf.message(value)
        if key == b"table" and how == "twice":
            fields[7][2] = fields[7][1]
        if key == b"table" and how == "short":
            fields[7].pop()
        if key == b"table" and how == "dtype":
            fields[1] = [9]
        if key == b"table" and how == "start":
            fields[7][0] = protobuf.written([(1, protobuf.written([(1, 1 << 61), (2, 2)]))] * 2)
        if key.startswith(b"\0") and how == "missing":
            key += b"\1"
        order = sorted((field, one) for field, held in fields.items() for one in held)
        fixed = struct.pack("<BI", 6 << 3 | 5, fields.pop(6)[0]) if 6 in fields else b""
        return key, protobuf.written([pair for pair in order if pair[0] != 6]) + fixed

    target = str(tmp_path / "rewritten")
    rewritten(prefix, target, change)
    if how == "as_it_is":
        assert bundles.open_bundle(target)["table"].read().shape == (6, 2)
        return
    with pytest.raises(CheckpointError, match=r"slices? of 'table'"):
        bundles.open_bundle(target)["table"].read()


def test_a_compressed_index_is_refused(tmp_path):
    target = str(tmp_path / "compressed")
    rewritten(files.source("saver-ours", "adam"), target, lambda *entry: entry, b"\1")
    with pytest.raises(CheckpointError, match="its index is compressed"):
        read(target)


def test_the_memory_of_reading_is_bounded_by_all_files_of_a_checkpoint(tmp_path):
    prefix = files.source("object-1.15", "rmsprop")
    held = [prefix + ".index", *glob.glob(prefix + ".data-*")]
    size = sum(map(os.path.getsize, held))
    for path in (prefix, *held):
        assert supervision._size([path]) == size
    directory = archives.file_of("saved-model-2.4", "nested_adam")
    assert supervision._size([directory]) > supervision._size([directory + "/saved_model.pb"]) > 0


def test_a_file_without_an_object_graph_has_no_objects():
    assert bundles.open_object_graph(files.source("saver-ours", "adam")) == []
    assert OBJECT_GRAPH in Table(files.source("object-1.15", "rmsprop")).entries
