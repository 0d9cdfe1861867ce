"""From every format to every other: exact and proven so, or said to be not; never in silence."""

import json
import os
import shutil

import numpy as np
import pytest

from keras_optimizers import cli
from keras_optimizers.checkpoint import (
    CheckpointError,
    OptimizerState,
    Parameter,
    Provenance,
    fitting,
    migrate,
    migration,
    read,
    verification,
    write,
)
from keras_optimizers.checkpoint.confirmation import differences
from keras_optimizers.checkpoint.eras import layouts, weight_lists
from keras_optimizers.checkpoint.eras.layouts import LAYOUTS
from keras_optimizers.checkpoint.formats import registry
from keras_optimizers.checkpoint.report import Report
from keras_optimizers.checkpoint.state import Array
from keras_optimizers.checkpoint.storage.atomic_files import written_whole
from tests.checkpoint import files
from tests.checkpoint.files import problem

FORMATS = sorted(LAYOUTS)
SOME_CASES = ("sgd_nesterov_decay", "rmsprop_decay", "adagrad", "adam", "adam_clipnorm", "nadam")


def ending(name):
    return ".keras" if name == "keras-3" else ".h5"


def known_steps(era, case):
    return None if files.counts_steps(era, case) else problem.SAVE_AFTER


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("case", SOME_CASES)
@pytest.mark.parametrize("era", files.PLAIN_ERAS)
def test_what_is_called_exact_takes_the_same_next_step(era, case, to, tmp_path):
    target = str(tmp_path / "target") + ending(to)
    steps = known_steps(era, case)
    outcome = migrate(files.source(era, case), target, to, iterations=steps)
    before, after = read(files.source(era, case)), read(target)
    if before.iterations is None:
        before.iterations = steps
    assert [p.shape for p in before.parameters] == [p.shape for p in after.parameters]
    comparison = verification.compare(before, after)
    if not outcome.report.inexact:
        assert comparison.is_same(), comparison
    else:  # and what is inexact is measured
        assert outcome.comparison is not None
        assert any("differs by up to" in note for note in outcome.report.notes)


@pytest.mark.parametrize("era,case", [(e, c) for e, c in files.PLAIN if c in SOME_CASES])
def test_there_and_back_again_keeps_every_bit_of_the_slots(era, case, tmp_path):
    there, back = str(tmp_path / "there.h5"), str(tmp_path / "back") + ending(files.FORMAT_OF[era])
    steps = known_steps(era, case)
    migrate(files.source(era, case), there, "keras-optimizers", iterations=steps)
    migrate(there, back, files.FORMAT_OF[era])
    before, after = read(files.source(era, case)), read(back)
    for role, name, array in before.arrays():
        if role != "velocity" or before.hyperparameters["momentum"]:
            np.testing.assert_array_equal(array.read(), after.slots[role][name].read())
    for name, value in before.variables.items():
        np.testing.assert_array_equal(value.read(), after.variables[name].read())


def test_everything_else_in_a_file_is_carried_over_untouched(tmp_path):
    import h5py

    source, target = str(tmp_path / "source.h5"), str(tmp_path / "target.h5")
    shutil.copyfile(files.source("tf-keras-1.10", "adam"), source)
    with h5py.File(source, "r+") as opened:
        opened["notes/mine"] = np.arange(5)
        opened["notes"].attrs["by"] = "me"
        opened.attrs["extra"] = np.float64(2.5)
    migrate(source, target, "optimizer-v2")
    with h5py.File(source, "r") as before, h5py.File(target, "r") as after:
        assert list(after["notes/mine"][()]) == list(range(5))
        assert after["notes"].attrs["by"] == "me" and after.attrs["extra"] == 2.5
        assert before.attrs["model_config"] == after.attrs["model_config"]
        config = json.loads(after.attrs["training_config"])
        assert config["loss"] == "categorical_crossentropy"
        assert list(after["model_weights"].attrs["layer_names"]) == list(
            before["model_weights"].attrs["layer_names"]
        )


def test_a_decay_goes_on_in_a_layout_that_drops_the_steps(tmp_path):
    target = str(tmp_path / "target.h5")
    migrate(files.source("optimizer-v2-1.15", "rmsprop_decay"), target, "tf-keras-1.10")
    state = read(target)  # 20 steps with a decay of 0.05 halve the rate
    assert state.hyperparameters["lr"] == pytest.approx(0.0005)
    assert state.hyperparameters["decay"] == pytest.approx(0.025)
    assert state.iterations == 0


def test_steps_that_nobody_knows_are_a_default_and_said_so(tmp_path):
    source = files.source("tf-keras-1.10", "rmsprop_decay")
    outcome = migrate(source, str(tmp_path / "t.h5"), "optimizer-v2")
    statuses = {entry.field: entry.status for entry in outcome.report.entries}
    assert statuses["iterations"] == "defaulted"


def test_unknown_steps_do_not_matter_without_decay(tmp_path):
    source = files.source("tf-keras-1.10", "adagrad")
    assert not migrate(source, str(tmp_path / "t.h5"), "optimizer-v2").report.inexact


def test_epsilon_on_the_other_side_of_the_root_is_approximate_and_small(tmp_path):
    source = files.source("optimizer-v2-1.15", "rmsprop_decay")
    outcome = migrate(source, str(tmp_path / "t.keras"), "keras-3")
    (entry,) = outcome.report.inexact
    assert (entry.field, entry.status) == ("epsilon", "approximate")
    assert 0 < outcome.comparison.largest < 1e-3


def test_nadam_of_keras_3_is_r1_10_s_with_a_schedule_decay_of_one(tmp_path):
    target = str(tmp_path / "t.h5")
    assert not migrate(files.source("keras-3", "nadam"), target, "keras-2.3").report.inexact
    assert read(target).hyperparameters["schedule_decay"] == 1.0


def test_values_that_the_user_gives_take_the_place_of_the_file_s(tmp_path):
    target = str(tmp_path / "t.h5")
    migrate(files.source("keras-2.3", "adam"), target, "keras-2.3", values={"lr": 0.5})
    assert read(target).hyperparameters["lr"] == 0.5


def test_a_state_is_written_without_a_model(tmp_path):
    state = read(files.source("keras-2.3", "adam"))
    target = str(tmp_path / "t.h5")
    report = write(state, target, "optimizer-v2")
    assert not report.inexact
    again = read(target)
    assert [p.name for p in again.parameters] == ["parameter_%d" % i for i in range(6)]
    assert verification.compare(state, again).problems == []


def test_a_model_in_another_file_gets_the_source_s_values(tmp_path):
    target = str(tmp_path / "t.h5")
    lender = files.source("optimizer-v2-1.15", "sgd")
    migrate(files.source("keras-3", "adam"), target, "keras-2.3", model=lender)
    before, after = read(files.source("keras-3", "adam")), read(target)
    for name, value in before.variables.items():
        np.testing.assert_array_equal(value.read(), after.variables[name].read())


def test_a_schedule_that_is_no_decay_is_refused_with_the_remedy(tmp_path):
    state = read(files.source("keras-3", "adam"))
    state.hyperparameters["learning_rate_schedule"] = {"class_name": "CosineDecay", "config": {}}
    with pytest.raises(CheckpointError, match="--set lr=VALUE"):
        write(state, str(tmp_path / "t.h5"), "keras-2.3")
    assert os.listdir(str(tmp_path)) == []


def test_centered_rmsprop_is_refused_where_nothing_computes_it(tmp_path):
    state = read(files.source("optimizer-v2-1.15", "rmsprop"))
    state.hyperparameters["centered"] = True
    with pytest.raises(CheckpointError, match="centered=True"):
        write(state, str(tmp_path / "t.h5"), "keras-2.3")


def test_an_unknown_format_names_those_there_are(tmp_path):
    with pytest.raises(CheckpointError, match="keras-3"):
        migrate(files.source("keras-2.3", "adam"), str(tmp_path / "t.h5"), "keras-4")


# The commands.


def run(capfd, *arguments):
    status = cli.main(list(arguments))
    output = capfd.readouterr()
    return status, output.out, output.err


def test_migrate_prints_what_became_of_every_field(tmp_path, capfd):
    source, target = files.source("tf-keras-1.10", "nadam"), str(tmp_path / "t.h5")
    status, output, errors = run(capfd, "migrate", source, target, "--to", "optimizer-v2")
    assert (status, errors) == (0, "")
    for field in ("lr", "epsilon", "iterations", "m_schedule", "first_moment"):
        assert field in output
    assert "exact: training goes on" in output


def test_strict_refuses_what_is_not_exact_and_writes_nothing(tmp_path, capfd):
    source, target = files.source("tf-keras-1.10", "nadam"), str(tmp_path / "t.keras")
    status, _, errors = run(capfd, "migrate", source, target, "--to", "keras-3", "--strict")
    assert status == 1 and "schedule_decay (approximate)" in errors
    assert os.listdir(str(tmp_path)) == []


def test_a_dry_run_reports_and_writes_nothing(tmp_path, capfd):
    source, target = files.source("tf-keras-1.10", "adam"), str(tmp_path / "t.h5")
    status, output, _ = run(capfd, "migrate", source, target, "--to", "keras-2.3", "--dry-run")
    assert status == 0 and "nothing was written" in output
    assert os.listdir(str(tmp_path)) == []


@pytest.fixture
def lambda_model(tmp_path):
    """A file whose state fits anywhere, with a layer that only its own era's Python code builds."""
    path = str(tmp_path / "lambda.h5")
    shutil.copyfile(files.source("tf-keras-1.10", "adam"), path)
    files.add_layers(path, files.LAMBDA)
    return path


@pytest.mark.parametrize("options", [["--strict"], ["--strict", "--dry-run"]])
@pytest.mark.parametrize("place", ["new", "there", "in place"])
def test_strict_writes_nothing_where_the_model_is_lost(
    options, place, lambda_model, tmp_path, capfd
):
    """What becomes of a model is known only when it is written."""
    target = str(tmp_path / "target.h5")
    if place == "there":
        shutil.copyfile(files.source("keras-2.3", "adam"), target)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    where = [lambda_model] + (["--in-place"] if place == "in place" else [target, "--overwrite"])
    status, output, errors = run(capfd, "migrate", *where, "--to", "keras-2.3", *options)
    assert status == 1 and "Refused, as --strict asks: model_config (lost)" in errors
    assert "nothing was written" in output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_strict_leaves_no_backup_where_there_are_no_hard_links(lambda_model, tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    outcome = migrate(lambda_model, lambda_model, "keras-2.3", strict=True, in_place=True)
    assert not outcome.written and os.listdir(str(tmp_path)) == ["lambda.h5"]


def test_a_dry_run_says_that_the_model_is_lost(lambda_model, tmp_path, capfd):
    target = str(tmp_path / "target.h5")
    given = ["migrate", lambda_model, target, "--to", "keras-2.3"]
    status, dry, _ = run(capfd, *given, "--dry-run")
    assert status == 0 and not os.path.exists(target)
    status, output, _ = run(capfd, *given)
    assert status == 0 and "model_config" in output
    said, really_said = (one.rsplit("\n", 2)[0] for one in (dry, output))
    assert said == really_said


def test_in_place_keeps_the_old_file(tmp_path, capfd):
    path = str(tmp_path / "model.h5")
    shutil.copyfile(files.source("tf-keras-1.10", "adam"), path)
    with open(path, "rb") as opened:
        old = opened.read()
    status, output, _ = run(capfd, "migrate", path, "--in-place", "--to", "optimizer-v2")
    assert status == 0 and "model.h5.backup" in output
    with open(path + ".backup", "rb") as opened:
        assert opened.read() == old
    assert read(path).provenance.format == "optimizer-v2"


@pytest.mark.parametrize(
    "extra,words",
    [
        ([], "exists"),
        (["--set", "lr=fast"], "--set NAME=VALUE"),
        (["--set", "rate=1"], "has no hyperparameter 'rate'"),
        (["--iterations", "-1"], "at least 0"),
        (["--to", "keras-4"], "Unknown format 'keras-4'"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(extra, words, tmp_path, capfd):
    target = tmp_path / "t.h5"
    if not extra:
        target.write_bytes(b"mine")
    source = files.source("tf-keras-1.10", "adam")
    status, _, errors = run(capfd, "migrate", source, str(target), "--to", "keras-2.3", *extra)
    assert status == 2 and words in errors and len(errors.strip().splitlines()) == 1
    assert not extra or not target.exists()


def test_the_source_is_not_overwritten_by_accident(tmp_path, capfd):
    path = str(tmp_path / "model.h5")
    shutil.copyfile(files.source("tf-keras-1.10", "adam"), path)
    status, _, errors = run(capfd, "migrate", path, path, "--to", "keras-2.3", "--overwrite")
    assert status == 2 and "--in-place" in errors


def test_the_report_is_json_for_programs(tmp_path, capfd):
    source, target = files.source("tf-keras-1.10", "nadam"), str(tmp_path / "t.keras")
    report = str(tmp_path / "report.json")
    arguments = ["migrate", source, target, "--to", "keras-3", "--json", "--report", report]
    status, output, _ = run(capfd, *arguments)
    assert status == 0
    with open(report) as opened:
        assert json.load(opened) == json.loads(output)
    described = json.loads(output)
    assert described["exact"] is False and described["next_step_error"] > 0


def test_inspect_shows_class_steps_slots_and_what_is_missing(capfd):
    status, output, _ = run(capfd, "inspect", files.source("tf-keras-1.10", "rmsprop_decay"))
    assert status == 0
    for words in ("RMSprop", "first/kernel", "6x8", "mean_square", "not in the file: iterations"):
        assert words in output


def test_inspect_as_json(capfd):
    status, output, _ = run(capfd, "inspect", "--json", files.source("keras-3", "adam"))
    described = json.loads(output)
    assert status == 0 and described["class_name"] == "Adam" and described["iterations"] == 20
    assert len(described["slots"]) == 12 and described["slots"][0]["norm"] > 0


def test_verify_finds_equal_steps_equal(tmp_path, capfd):
    source, target = files.source("keras-2.3", "adam"), str(tmp_path / "t.keras")
    migrate(source, target, "keras-3")
    status, output, _ = run(capfd, "verify", source, target)
    assert status == 0 and "both take the same next step" in output


def test_verify_finds_a_changed_slot(tmp_path, capfd):
    import h5py

    source, target = files.source("keras-2.3", "adam"), str(tmp_path / "t.h5")
    shutil.copyfile(source, target)
    with h5py.File(target, "r+") as opened:
        group = opened["optimizer_weights"]
        group[group.attrs["weight_names"][1]][0, 0] += 0.5
    status, output, _ = run(capfd, "verify", source, target, "--json")
    described = json.loads(output)
    assert status == 1 and not described["same"]
    worst = {role["role"]: role["parameter"] for role in described["roles"]}
    assert worst["first_moment"] == "first/kernel"


def test_verify_finds_another_count_of_steps(tmp_path, capfd):
    source, target = files.source("keras-2.3", "adam"), str(tmp_path / "t.h5")
    migrate(source, target, "keras-2.3", iterations=21)
    assert run(capfd, "verify", source, target)[0] == 1


# Files appear whole or not at all.


def test_what_fails_while_it_is_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), written_whole(str(path)) as partial:
        with open(partial, "w") as opened:
            opened.write("half")
        raise RuntimeError
    assert path.read_bytes() == b"old" and os.listdir(str(tmp_path)) == ["file"]


def test_a_new_file_has_the_usual_mode(tmp_path):
    target = str(tmp_path / "t.h5")
    migrate(files.source("keras-2.3", "adam"), target, "keras-2.3")
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert os.stat(target).st_mode == os.stat(str(plain)).st_mode


def test_a_folder_that_cannot_be_written_to_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="Cannot write"):
        migrate(files.source("keras-2.3", "adam"), str(tmp_path / "no" / "t.h5"), "keras-2.3")


def nested_model(tmp_path):
    """A file of tf.keras 1.15 with a model that is a layer of another."""
    tf = pytest.importorskip("tensorflow")
    keras = tf.keras
    inner = keras.Sequential(
        [keras.layers.Dense(5, input_shape=(4,)), keras.layers.BatchNormalization()]
    )
    entry = keras.Input((4,))
    model = keras.Model(entry, keras.layers.Dense(1)(inner(entry)))
    model.compile(files.optimizer_v2("Adam")(), "mse", metrics=["mae"])
    model.train_on_batch(np.ones((8, 4)), np.ones((8, 1)))
    path = str(tmp_path / "nested.h5")
    model.save(path)
    return path


def test_a_nested_model_goes_to_keras_3_and_back(tmp_path):
    source = nested_model(tmp_path)
    archive, back = str(tmp_path / "there.keras"), str(tmp_path / "back.h5")
    assert not migrate(source, archive, "keras-3").report.inexact
    assert not migrate(archive, back, "keras-optimizers").report.inexact
    states = [read(path) for path in (source, archive, back)]
    for state in states[1:]:
        assert verification.compare(states[0], state).is_same()
        shapes = [parameter.shape for parameter in state.parameters]
        assert shapes == [(4, 5), (5,), (5,), (5,), (5, 1), (1,)]


@pytest.mark.parametrize(
    "to,name,remedy",
    [
        ("keras-3", "x.h5", "cannot train it. Use an ending of .keras"),
        ("keras-3", "x.hdf5", "cannot train it. Use an ending of .keras"),
        ("keras-3", "x", "Use an ending of .keras"),
        ("keras-2.3", "x.keras", "Use an ending of .h5"),
        ("optimizer-v2", "x.index", "Use an ending of .h5"),
        ("tf-keras-2.11", "x.KERAS", "Use an ending of .h5"),
        ("saver", "x.h5", "without an ending"),
        ("checkpoint", "x.keras", "without an ending"),
        ("saver-tf-train", "x.hdf5", "without an ending"),
    ],
)
def test_an_ending_that_promises_another_kind_of_file_is_refused_before_anything_is_read(
    to, name, remedy, tmp_path
):
    with pytest.raises(CheckpointError, match=remedy):
        migrate(str(tmp_path / "there is no such file"), str(tmp_path / name), to)
    with pytest.raises(CheckpointError, match=remedy):
        write(read(files.source("keras-2.3", "sgd")), str(tmp_path / name), to)
    assert os.listdir(str(tmp_path)) == []


ENDINGS = (".h5", ".hdf5", ".keras", ".weights.h5", ".index", "")
HDF5_ENDINGS = (".h5", ".hdf5", ".weights.h5", "")


@pytest.mark.parametrize("to", registry.names())
def test_every_format_takes_its_own_endings_alone(to):
    taken = []
    for ending in ENDINGS:
        try:
            registry.format_named(to).check_ending("x" + ending)
        except CheckpointError:
            continue
        taken.append(ending)
    expected = HDF5_ENDINGS if to in FORMATS else ("",)
    assert tuple(taken) == ((".keras", ".weights.h5") if to == "keras-3" else expected)


def test_an_option_of_another_format_is_refused(tmp_path):
    source = files.source("keras-2.3", "sgd")
    for to, ending, option in (("saver", "", "keras_version"), ("keras-2.3", ".h5", "scope")):
        target = str(tmp_path / "t") + ending
        with pytest.raises(CheckpointError, match="takes no " + option):
            migrate(source, target, to, write_options={option: "2"})
    with pytest.raises(CheckpointError, match="version of Keras 3"):
        write(read(source), str(tmp_path / "t.weights.h5"), "keras-3", keras_version="2.0.5")
    assert os.listdir(str(tmp_path)) == []


def test_no_code_asks_for_an_era_by_its_name():
    """What an era does otherwise is a field of `Layout`: an entry in the table is all it takes."""
    import ast

    from keras_optimizers import checkpoint

    eras = [name for name in dir(layouts) if isinstance(getattr(layouts, name), layouts.Layout)]
    assert len(eras) == 12
    for folder, _, names in os.walk(os.path.dirname(checkpoint.__file__)):
        for name in (one for one in names if one.endswith(".py")):
            with open(os.path.join(folder, name)) as opened:
                nodes = list(ast.walk(ast.parse(opened.read())))
            for compare in (node for node in nodes if isinstance(node, ast.Compare)):
                found = {n.attr for n in ast.walk(compare) if isinstance(n, ast.Attribute)}
                assert not found & set(eras), name


def test_rmsprop_with_momentum_is_as_exact_in_an_object_checkpoint_as_in_hdf5():
    state = read(files.source("optimizer-v2-1.15", "rmsprop"))
    state.hyperparameters.update(momentum=0.9, epsilon_inside_root=True)
    for name in ("optimizer-v2", "checkpoint"):
        prepared = migration.prepare(state, registry.format_named(name))
        statuses = {one.field: one.status for one in prepared.report.entries}
        assert statuses["epsilon"] == "copied" and "approximate" not in statuses.values(), name


def test_a_file_that_does_not_hold_what_was_meant_never_takes_its_place(tmp_path, monkeypatch):
    target = tmp_path / "t.h5"
    target.write_bytes(b"the old file")
    arrange = weight_lists.arrange

    def forgetful(layout, state):
        weights = arrange(layout, state)
        zeros = np.zeros(weights[-1].array.shape, weights[-1].array.dtype)
        return [*weights[:-1], weights[-1]._replace(array=Array.of(zeros))]

    monkeypatch.setattr(weight_lists, "arrange", forgetful)
    source = files.source("keras-2.3", "sgd_momentum")
    with pytest.raises(CheckpointError, match="a slot of the role velocity has other values"):
        migrate(source, str(target), "keras-2.3", overwrite=True)
    assert target.read_bytes() == b"the old file" and os.listdir(str(tmp_path)) == ["t.h5"]


@pytest.mark.parametrize("change", ["iterations", "lr", "class_name"])
def test_a_difference_of_what_was_written_is_named(change):
    meant, found = (read(files.source("keras-2.3", "adam")) for _ in range(2))
    assert differences(meant, found, True) == []
    if change == "lr":
        found.hyperparameters["lr"] *= 2
    else:
        setattr(found, change, {"iterations": 7, "class_name": "Nadam"}[change])
    (problem,) = differences(meant, found, True)
    assert change.split("_")[0] in problem


def test_a_format_of_one_s_own_is_one_module_and_one_line(tmp_path):
    """As docs/add-an-era-or-a-format.md says: a layout, a function that writes, one that reads."""
    from keras_optimizers.checkpoint.formats.format import Format, Reader

    layout = layouts.KERAS_OPTIMIZERS._replace(name="npz", title="NumPy's own files")

    def write_npz(request):
        state = request.state
        with written_whole(request.path, request.confirm) as partial, open(partial, "wb") as opened:
            arrays = {f"{role}/{name}": one.read() for role, name, one in state.arrays()}
            names = [parameter.name for parameter in state.parameters]
            options = json.dumps([state.class_name, state.iterations, state.hyperparameters, names])
            np.savez(opened, options=options, **arrays)

    def recognises(path):
        import zipfile

        return zipfile.is_zipfile(path) and "options.npy" in zipfile.ZipFile(path).namelist()

    def read_npz(request):
        held = np.load(request.path)
        class_name, iterations, hyperparameters, names = json.loads(str(held["options"]))
        slots = {}
        for key in held.files:
            role, _, name = key.partition("/")
            if name:
                slots.setdefault(role, {})[name] = held[key]
        shapes = next(iter(slots.values()))
        parameters = [Parameter(name, shapes[name].shape, "float32") for name in names]
        provenance = Provenance(request.path, "npz")
        return OptimizerState(
            class_name, hyperparameters, iterations, parameters, slots, {}, provenance
        )

    npz = Format(layout, write_npz, endings=(".npz",), reader=Reader(recognises, read_npz))
    registry.register(npz)
    try:
        there, back = str(tmp_path / "there.npz"), str(tmp_path / "back.h5")
        source = files.source("keras-2.3", "adam")
        assert not migrate(source, there, "npz").report.inexact
        (entry,) = migrate(there, back, "keras-2.3", model=source).report.inexact
        assert entry.field == "model weights"  # this format holds the slots alone
        assert verification.compare(read(source), read(back)).is_same()
        with pytest.raises(ValueError, match="already"):
            registry.register(npz)
    finally:
        registry.unregister(npz)


def test_keras_3_gets_long_names_of_losses_and_metrics(tmp_path):
    from keras_optimizers.checkpoint.formats.archive_files import Archive

    archive = str(tmp_path / "there.keras")
    migrate(nested_model(tmp_path), archive, "keras-3")
    with Archive(archive) as opened:
        compiled = opened.config["compile_config"]
    assert compiled["loss"] == "mean_squared_error"
    assert compiled["metrics"] == ["mean_absolute_error"]


@pytest.mark.parametrize(
    "to,words",
    [
        ("keras-2.3", "clips all gradients by their common norm"),
        ("saver-tf-train", "does not clip"),
    ],
)
def test_clipping_that_the_target_lacks_is_said_to_be_lost(to, words):
    report = Report()
    fitting.fit(
        read(files.source("optimizer-v2-1.15", "adam_clipnorm")),
        registry.format_named(to).layout,
        report,
    )
    assert {entry.field for entry in report.inexact} == {"clipnorm"}
    assert any(words in entry.explanation for entry in report.inexact)
