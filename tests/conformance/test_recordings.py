"""Recordings are whole, and what is not gets one sentence."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from keras_optimizers.conformance import behaviour_page, references
from keras_optimizers.conformance.recorder import cases, comparing, hosts, storage

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_every_version_is_recorded_and_every_array_is_what_its_hash_says():
    assert references.names() == list(hosts.REFERENCES) + ["numpy"]
    for name in hosts.REFERENCES:
        recording = references.load_reference(name)
        assert recording.case_names() and set(recording.case_names()) == set(cases.CASES)
        for case in recording.case_names():
            if not recording.refusal(case):
                trace = recording.trace(case)
                steps = {len(array) for array in trace.arrays.values()}
                assert steps == {cases.STEPS[cases.CASES[case].problem]}


def test_every_recording_says_where_it_comes_from():
    for name, reference in hosts.REFERENCES.items():
        facts = references.load_reference(name).facts
        assert facts["versions"]["tensorflow"] == reference.tensorflow
        assert facts["versions"].get(reference.package) in (reference.keras, reference.tensorflow)
        assert {"maker", "model"} == set(facts["processor"]) and facts["recorded"]
        assert facts["threads"] == {"intra_op": 1, "inter_op": 1} and facts["square_roots"]


def test_all_recordings_together_are_a_few_megabytes():
    folder = references.FOLDER
    sizes = [os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)]
    assert sum(sizes) < 4e6


@pytest.mark.parametrize("name", ["tf-1.10", "tf1.10", "TF 1.10", "tf_1.10"])
def test_a_reference_has_several_spellings(name):
    assert references.load_reference(name).name == "tf-1.10"


def test_a_folder_with_a_references_name_does_not_hide_it(tmp_path, monkeypatch):
    (tmp_path / "numpy").mkdir()
    monkeypatch.chdir(str(tmp_path))
    assert references.load_reference("numpy").name == "numpy"


def test_texts_that_show_a_set_in_another_order_are_the_same():
    one = ["TypeError", "Allowed kwargs are {'decay', 'lr', 'clipnorm'}."]
    other = ["TypeError", "Allowed kwargs are {'lr', 'clipnorm', 'decay'}."]
    fewer = ["TypeError", "Allowed kwargs are {'lr', 'decay'}."]
    assert comparing.with_sets_in_order(one) == comparing.with_sets_in_order(other)
    assert comparing.with_sets_in_order(one) != comparing.with_sets_in_order(fewer)


@pytest.fixture
def copy(tmp_path):
    """A copy of a shipped recording: the path of its JSON file."""
    for name in ("tf-1.10.json", storage.ARRAYS):
        shutil.copy(os.path.join(references.FOLDER, name), str(tmp_path / name))
    return str(tmp_path / "tf-1.10.json")


def change(path, **facts):
    with open(path) as opened:
        found = json.load(opened)
    found.update(facts)
    with open(path, "w") as opened:
        json.dump(found, opened)


def test_a_recording_that_was_edited_is_refused(copy):
    change(copy, cases={})
    with pytest.raises(references.RecordingError, match="changed after it was recorded"):
        references.load_reference(copy)


def test_a_recording_of_another_format_is_refused(copy):
    change(copy, format=99)
    with pytest.raises(references.RecordingError, match="has the format 99"):
        references.load_reference(copy)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"name": 1}', "\0"])
def test_a_file_that_is_no_recording_is_refused(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(references.RecordingError, match=r"other\.json"):
        references.load_reference(str(path))


def test_a_directory_and_an_empty_file_are_called_so(tmp_path):
    (tmp_path / "empty.json").write_bytes(b"")
    with pytest.raises(references.RecordingError, match=r"empty\.json.*: the file is empty"):
        references.load_reference(str(tmp_path / "empty.json"))
    with pytest.raises(references.RecordingError, match=r"is a directory\. Name a recording's"):
        references.load_reference(str(tmp_path))


@pytest.mark.parametrize("keep", [0, 10, 0.5, -100])
def test_damaged_arrays_are_refused(copy, keep):
    path = os.path.join(os.path.dirname(copy), storage.ARRAYS)
    with open(path, "rb") as opened:
        content = opened.read()
    size = int(len(content) * keep) if isinstance(keep, float) else keep
    with open(path, "wb") as opened:
        opened.write(content[:size])
    with pytest.raises(references.RecordingError, match="cannot be read"):
        references.load_reference(copy)


def test_an_array_with_other_numbers_is_noticed(copy):
    recording = references.load_reference(copy)
    key = recording.facts["cases"]["adam"]["arrays"]["parameter 0"]
    recording.pool._arrays[key] = recording.pool._arrays[key] + np.float32(1)
    with pytest.raises(references.RecordingError, match=r"case adam: the array .* is damaged"):
        recording.trace("adam")


def test_writing_a_recording_again_gives_the_same_files_and_drops_what_nothing_needs(tmp_path):
    recording = references.load_reference("tf-1.10")
    facts = json.loads(json.dumps(recording.facts))
    first = storage.Recording(facts, recording.pool).save(str(tmp_path))
    assert storage.load(first).trace("adam").arrays.keys() == recording.trace("adam").arrays.keys()
    whole = os.path.getsize(str(tmp_path / storage.ARRAYS))
    facts["cases"] = {"adam": facts["cases"]["adam"]}
    storage.Recording(facts, recording.pool).save(str(tmp_path))
    assert os.path.getsize(str(tmp_path / storage.ARRAYS)) < whole / 20
    assert storage.load(first).trace("adam").config == recording.trace("adam").config


def test_the_page_about_the_versions_is_what_the_recordings_say():
    with open(os.path.join(ROOT, "docs", "behaviour.md"), encoding="utf-8") as opened:
        assert opened.read() == behaviour_page.page()


def test_the_kit_imports_without_tensorflow():
    code = (
        "import sys; import keras_optimizers.conformance as kit; kit.load_reference('tf-1.4');"
        "assert not [n for n in sys.modules if n.startswith(('tensorflow', 'pytest', 'keras.'))]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_parts_without_tensorflow_are_attributes_of_the_package():
    code = (
        "import sys, keras_optimizers; keras_optimizers.conformance.names();"
        "keras_optimizers.checkpoint.read; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_recorder_runs_from_its_folder_and_names_a_version_that_is_not_here():
    folder = os.path.dirname(storage.__file__)
    command = [sys.executable, folder, "tf-1.4", "--compare"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 2
    words = done.stderr.decode()
    assert "tf-1.4 is tensorflow 1.4.1" in words and "pip install 'tensorflow==1.4.1'" in words
