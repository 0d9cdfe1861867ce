"""What `inspect`, `migrate` and `verify` say: before they read, and when they are done."""

import json
import os
import shutil

import pytest

from keras_optimizers import cli
from keras_optimizers.checkpoint import migrate, read
from tests.checkpoint import files


@pytest.fixture
def run(capfd):
    """Runs a command: exit status, standard output, standard error."""

    def run_command(*arguments):
        status = cli.main(list(arguments))
        output = capfd.readouterr()
        return status, output.out, output.err

    return run_command


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["migrate", "no.h5", "x.h5", "--to", "keras3"], "Unknown format 'keras3'. Did you mean"),
        (["migrate", "no.h5", "x.h5", "--to", "keras3"], "'keras-3'? There are: keras-optimizers"),
        (["inspect", "no.h5", "--class", "Admax"], "Unknown class 'Admax' in --class. Did you"),
        (["migrate", "no.h5", "x.h5", "--to", "keras-3", "--class", "?"], "There are: SGD, RMS"),
        (["verify", "no.h5", "no.h5", "--class", "adagrad2"], "mean 'Adagrad'?"),
    ],
)
def test_a_wrong_name_is_refused_before_a_file_is_looked_for(arguments, words, run):
    status, output, errors = run(*arguments)
    assert (status, output) == (2, "") and words in errors and "no.h5" not in errors
    assert len(errors.strip().splitlines()) == 1


def test_a_class_may_be_spelled_as_any_era_does(run):
    path = files.source("keras-2.3", "adam")
    assert run("inspect", path, "--class", "adam")[1] == run("inspect", path)[1]


@pytest.mark.parametrize("given", ["-1", "nan", "few"])
def test_a_tolerance_below_zero_is_bad_usage(given, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["verify", "no.h5", "no.h5", "--tolerance=" + given])
    assert stop.value.code == 2
    assert f"must be a number from 0 on, not '{given}'" in capsys.readouterr().err


def test_a_directory_and_an_empty_file_are_called_so(tmp_path, run):
    (tmp_path / "empty.h5").write_bytes(b"")
    assert "empty.h5': the file is empty." in run("inspect", str(tmp_path / "empty.h5"))[2]
    status, _, errors = run("inspect", str(tmp_path))
    assert status == 2 and "it is a directory, and not a SavedModel's" in errors
    source = files.source("keras-2.3", "adam")
    status, _, errors = run("migrate", source, str(tmp_path), "--to", "keras-2.3", "--overwrite")
    assert status == 2 and "is a directory. Give the path of a file in it" in errors


def test_a_file_that_stands_for_another_is_called_so(tmp_path, run):
    (tmp_path / "pointer.h5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0")
    assert "is a pointer of Git LFS" in run("inspect", str(tmp_path / "pointer.h5"))[2]
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    errors = run("inspect", str(tmp_path / "saved_model.pb"))[2]
    assert f"one file of a SavedModel. Give its directory, {str(tmp_path)!r}" in errors


def changed(tmp_path, change):
    """A copy of a file of Keras 2.2, open for a change."""
    import h5py

    path = str(tmp_path / "changed.h5")
    shutil.copyfile(files.source("keras-2.2", "adam"), path)
    with h5py.File(path, "r+") as opened:
        change(opened)
    return path


def test_a_file_of_keras_1_is_called_so(tmp_path, run):
    path = changed(tmp_path, lambda opened: opened.attrs.modify("keras_version", b"1.2.2"))
    status, _, errors = run("inspect", path)
    assert status == 2 and "Keras 1.2.2 wrote it, and files of Keras 1 are not read" in errors


def test_a_model_without_an_optimizer_is_told_from_weights(tmp_path, run):
    def without_optimizer(opened):
        del opened.attrs["training_config"]

    def weights_alone(opened):
        without_optimizer(opened)
        del opened.attrs["model_config"]

    errors = run("inspect", changed(tmp_path, without_optimizer))[2]
    assert "(a model that was not compiled)" in errors
    assert "(weights alone)" in run("inspect", changed(tmp_path, weights_alone))[2]


def test_without_optimizer_weights_there_is_a_way_to_say_that_no_step_was_taken(tmp_path, run):
    path = changed(tmp_path, lambda opened: opened.pop("optimizer_weights"))
    assert "(then say --iterations 0), or they were removed" in run("inspect", path)[1]
    target = str(tmp_path / "t.h5")
    given = ["migrate", path, target, "--to", "optimizer-v2", "--strict"]
    assert run(*given)[0] == 1 and run(*given, "--iterations", "0")[0] == 0


def test_a_model_that_keras_3_does_not_know_leads_to_its_weights(tmp_path, run):
    source = str(tmp_path / "source.h5")
    shutil.copyfile(files.source("keras-2.2", "adam"), source)
    files.add_layers(source, files.LAMBDA)
    given = ["migrate", source, "--to", "keras-3"]
    errors = run(*given, str(tmp_path / "t.keras"))[2]
    assert "With an ending of .weights.h5 the optimizer's state and the layers' weights" in errors
    assert run(*given, str(tmp_path / "t.weights.h5"))[0] == 0


def test_a_directory_of_checkpoints_leads_to_a_prefix(tmp_path, run):
    (tmp_path / "model.ckpt-7.index").write_bytes(b"")
    status, _, errors = run("inspect", str(tmp_path))
    prefix = os.path.join(str(tmp_path), "model.ckpt-7")
    assert status == 2 and f"Give a prefix, such as {prefix!r}." in errors


def test_success_says_what_was_written_where(tmp_path, run):
    source, target = files.source("keras-2.3", "adam"), str(tmp_path / "t.h5")
    report = str(tmp_path / "report.json")
    arguments = ["migrate", source, target, "--to", "optimizer-v2"]
    _, output, errors = run(*arguments, "--report", report)
    assert f"wrote {target}: optimizer-v2 (tf.keras 1.14 to 2.10" in output
    assert errors == f"wrote the report to {report}\n"
    described = json.loads(run(*arguments, "--overwrite", "--json")[1])
    assert (described["target"], described["format"]) == (target, "optimizer-v2")
    assert "wrote" not in run(*arguments, "--overwrite", "--dry-run")[1]


@pytest.mark.parametrize(
    "report, reason",
    [
        ("source.h5", "the command reads or writes a checkpoint there"),
        ("target.h5", "the command reads or writes a checkpoint there"),
        ("link.json", "the command reads or writes a checkpoint there"),
        ("other.keras", "what is there is no text, and would be lost"),
    ],
)
def test_a_report_takes_no_checkpoint_s_place(report, reason, tmp_path, run):
    shutil.copyfile(files.source("keras-2.3", "adam"), str(tmp_path / "source.h5"))
    shutil.copyfile(files.source("keras-3", "adam"), str(tmp_path / "other.keras"))
    (tmp_path / "link.json").symlink_to(tmp_path / "source.h5")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    source, target = str(tmp_path / "source.h5"), str(tmp_path / "target.h5")
    place = str(tmp_path / report)
    given = ["migrate", source, target, "--to", "keras-2.3", "--report", place]
    said = f"keras-optimizers: Cannot write {place!r}: {reason}. Give another path.\n"
    assert run(*given) == (2, "", said)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_report_takes_no_file_of_a_checkpoint_that_is_written_in_the_same_run(tmp_path, run):
    target = str(tmp_path / "model.ckpt")
    for ending in (".index", ".data-00000-of-00001"):
        given = ["migrate", files.source("keras-2.3", "adam"), target, "--to", "saver"]
        status, _, errors = run(*given, "--report", target + ending)
        assert status == 2 and "the command reads or writes a checkpoint there" in errors
    assert os.listdir(str(tmp_path)) == []


def test_the_target_may_stand_after_the_options(tmp_path, run):
    source, target = files.source("keras-2.3", "adam"), str(tmp_path / "t.h5")
    assert run("migrate", source, "--to", "optimizer-v2", target)[0] == 0
    assert read(target).class_name == "Adam"
    with pytest.raises(SystemExit):
        run("migrate", source, target, "--to", "optimizer-v2", "too-many")


def test_a_printed_report_shows_every_field_and_the_verdict(tmp_path):
    source, target = files.source("tf-keras-1.10", "nadam"), str(tmp_path / "t.keras")
    report = migrate(source, target, "keras-3").report
    shown = str(report)
    for entry in report.entries:
        assert entry.field in shown and entry.explanation in shown
    assert shown.endswith("not exact: see the fields that are defaulted, approximate or lost")
    assert "note: With seeded gradients" in shown
    assert repr(report) == f"<Report of {len(report.entries)} fields: not exact in schedule_decay>"


def without(era, case, names, tmp_path):
    """A copy of a checkpoint whose config does not say `names`."""
    import h5py

    path = str(tmp_path / "source.h5")
    shutil.copyfile(files.source(era, case), path)
    with h5py.File(path, "r+") as opened:
        training = json.loads(opened.attrs["training_config"])
        for name in names:
            del training["optimizer_config"]["config"][name]
        opened.attrs["training_config"] = json.dumps(training).encode()
    return path


def notes_of(run, source, target):
    arguments = ["migrate", source, target, "--to", "keras-optimizers", "--json", "--overwrite"]
    return [note for note in json.loads(run(*arguments)[1])["notes"] if "without" in note]


@pytest.mark.parametrize(
    "era, case, names, expected",
    [
        ("tf-keras-1.10", "adadelta", [], []),
        ("tf-keras-1.10", "adadelta", ["rho", "decay"], []),
        ("tf-keras-1.10", "adam", ["lr"], []),
        (
            "tf-keras-1.10",
            "adadelta",
            ["lr"],
            [
                "Adadelta without lr: 1 is used, as in TensorFlow 1.10; in tf.keras from "
                "TensorFlow 1.14 on the default is 0.001. If the source is from there: "
                "--set lr=0.001."
            ],
        ),
        ("keras-2.2", "adadelta", ["lr"], []),  # standalone Keras 2 never changed it
        (
            "keras-2.2",
            "adam",
            ["epsilon"],
            [
                "Adam without epsilon: 1e-07 is used, as in TensorFlow 1.10; in Keras 2.0 the "
                "default is 1e-08. If the source is from there: --set epsilon=1e-08."
            ],
        ),
    ],
)
def test_migrate_warns_where_a_default_that_changed_is_used(
    era, case, names, expected, tmp_path, run
):
    source = without(era, case, names, tmp_path)
    assert notes_of(run, source, str(tmp_path / "target.h5")) == expected


def test_a_value_that_is_given_needs_no_warning(tmp_path, run):
    source = without("tf-keras-1.10", "adadelta", ["lr"], tmp_path)
    arguments = ["migrate", source, str(tmp_path / "t.h5"), "--to", "keras-2.3"]
    assert "without lr" not in run(*arguments, "--set", "lr=0.5")[1]


def test_an_era_with_another_default_uses_it(tmp_path):
    source = without("optimizer-v2-1.15", "adadelta", ["learning_rate"], tmp_path)
    target = str(tmp_path / "target.h5")
    outcome = migrate(source, target, "keras-optimizers")
    assert read(target).hyperparameters["lr"] == pytest.approx(0.001)
    entry = next(one for one in outcome.report.entries if one.field == "lr")
    assert entry.explanation.startswith("0.001, its era's default")
    assert outcome.comparison.largest == 0
