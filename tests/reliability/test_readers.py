"""Readers of foreign bytes raise what they promise, and nothing else; see readers.py."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from keras_optimizers import checkpoint
from keras_optimizers.checkpoint.storage.protobuf import message
from tests.reliability import readers
from tests.reliability.limits import ROOT


@pytest.mark.parametrize("name", sorted(readers.TARGETS))
def test_changed_bytes_are_read_or_refused(name):
    assert readers.failures(30, seed=5, names=(name,)) == []


def test_a_reader_that_raises_something_else_is_noticed(monkeypatch):
    def broken(data, folder):
        return {}[data]

    monkeypatch.setitem(
        readers.TARGETS, "broken", readers.Target(broken, (ValueError,), lambda: [b"x"])
    )
    assert "KeyError" in readers.failures(3, seed=1, names=("broken",))[0]


def with_index(block, folder):
    """A checkpoint of TensorFlow whose index has the checksums of a whole one."""
    prefix = str(folder / "damaged")
    with open(prefix + ".index", "wb") as opened:
        opened.write(readers.index_of(block))
    source = os.path.join(readers.SOURCES, "saver-ours", "adam.data-00000-of-00001")
    shutil.copyfile(source, prefix + ".data-00000-of-00001")
    return prefix


def test_the_checksums_that_the_tests_make_are_right(tmp_path):
    [block] = readers._table_seeds()[:1]
    state = checkpoint.read(with_index(block, tmp_path))
    expected = checkpoint.read(os.path.join(readers.SOURCES, "saver-ours", "adam"))
    assert state.iterations == expected.iterations
    for role, name, held in expected.arrays():
        np.testing.assert_array_equal(held.read(), state.slots[role][name].read())


def test_a_damaged_index_is_an_error_and_does_not_end_the_process(tmp_path):
    """TensorFlow's own reader aborts over an entry that is no protocol buffer."""
    pytest.importorskip("tensorflow")
    block = readers._table_seeds()[0]
    end = len(block) - 4 - 4 * block[-4]  # of the entries; places among them follow, and how many
    damaged = block[:end] + b"\0\3\1zzz\xff" + block[end:]  # a name, and a value of one byte
    prefix = with_index(damaged, tmp_path)
    program = (
        "from keras_optimizers import checkpoint\n"
        "try:\n    checkpoint.read(%r)\n"
        "except checkpoint.CheckpointError as error:\n    print(error)\n" % prefix
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert done.returncode == 0, done
    assert b"it is damaged or incomplete" in done.stdout


@pytest.mark.parametrize("data", [b"\0\0", b"\x80\x80\x80\x80\x80\x01\0"])
def test_a_field_without_a_number_is_no_protocol_buffer(data):
    with pytest.raises(ValueError, match="without a number"):
        message(data)


def test_a_saver_file_that_lacks_a_variable_is_said(tmp_path):
    tf = pytest.importorskip("tensorflow").compat.v1
    for name in ("iterations", "lr"):
        tf.get_variable("Adam/" + name, initializer=1)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / "some"))
    with pytest.raises(checkpoint.CheckpointError, match="Adam also has Adam/beta_1"):
        checkpoint.read(prefix)
