"""What single releases do otherwise than their era: files that they wrote, or built as theirs."""

import json
import shutil

import numpy as np
import pytest

from keras_optimizers import cli
from keras_optimizers.checkpoint import (
    CheckpointError,
    migrate,
    migration,
    read,
    verification,
    write,
)
from keras_optimizers.checkpoint.architecture import layers
from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.eras.releases import layout_of, release_of
from keras_optimizers.checkpoint.formats import registry
from keras_optimizers.checkpoint.storage import hdf5
from tests.checkpoint import files
from tests.checkpoint.files import problem

h5py = pytest.importorskip("h5py")

LAYERS = ["dense_%d" % number for number in range(1, 12)]


def file_of_keras_2(path, version, by_name, kinds=("kernel",), width=3):
    """Eleven equal Dense layers and SGD's velocities, as standalone Keras `version` saves them.

    Every velocity is filled with the number of its layer.
    """
    configs = [
        {"class_name": "Dense", "config": {"name": name, "units": width, "trainable": True}}
        for name in LAYERS
    ]
    names = ["%s/%s:0" % (layer, kind) for layer in LAYERS for kind in kinds]
    with h5py.File(path, "w") as opened:
        if version is not None:
            opened.attrs["keras_version"] = version.encode()
        config = {"class_name": "Sequential", "config": configs}
        opened.attrs["model_config"] = json.dumps(config).encode()
        optimizer = {"lr": 0.05, "momentum": 0.9, "decay": 0.0, "nesterov": False}
        training = {"optimizer_config": {"class_name": "SGD", "config": optimizer}, "loss": "mse"}
        opened.attrs["training_config"] = json.dumps(training).encode()
        model = opened.create_group("model_weights")
        model.attrs["layer_names"] = np.array(LAYERS, "S")
        for layer in LAYERS:
            group = model.create_group(layer)
            own = [name for name in names if name.startswith(layer + "/")]
            group.attrs["weight_names"] = np.array(own, "S")
            for name in own:
                shape = (width, width) if "kernel" in name else (width,)
                group[name] = np.zeros(shape, "f4")
        order = sorted(names) if by_name else names
        slots = opened.create_group("optimizer_weights")
        saved = ["SGD/iterations:0"] + ["SGD/slot_%d:0" % n for n in range(len(names))]
        slots.attrs["weight_names"] = np.array(saved, "S")
        slots[saved[0]] = np.float32(5)
        for name, owner in zip(saved[1:], order):
            shape = (width, width) if "kernel" in owner else (width,)
            slots[name] = np.full(shape, int(owner.split("/")[0].split("_")[1]), "f4")
    return path


def assert_every_velocity_is_at_its_layer(state, kinds=("kernel",)):
    assert [parameter.name for parameter in state.parameters] == [
        "%s/%s" % (layer, kind) for layer in LAYERS for kind in kinds
    ]
    for name, array in state.slots["velocity"].items():
        assert array.read().ravel()[0] == int(name.split("/")[0].split("_")[1]), name


@pytest.mark.parametrize(
    "version,by_name",
    [("2.0.0", True), ("2.0.5", True), ("2.0.6", False), ("2.0.10", False), ("2.2.4", False)],
)
@pytest.mark.parametrize("kinds", [("kernel",), ("kernel", "bias")])
def test_keras_before_2_0_6_has_its_slots_in_the_order_of_the_weights_names(
    version, by_name, kinds, tmp_path
):
    path = file_of_keras_2(str(tmp_path / "s.h5"), version, by_name, kinds)
    assert_every_velocity_is_at_its_layer(read(path), kinds)
    outcome = migrate(path, str(tmp_path / "t.h5"), "keras-2.2")
    assert not outcome.report.inexact
    assert_every_velocity_is_at_its_layer(read(str(tmp_path / "t.h5")), kinds)


def test_a_file_that_does_not_say_its_version_is_not_matched_where_two_orders_fit(tmp_path):
    path = file_of_keras_2(str(tmp_path / "s.h5"), None, True)
    with pytest.raises(CheckpointError, match="two orders"):
        read(path)


@pytest.mark.parametrize("version", ["2.0.0", "2.0.5"])
def test_a_reader_that_orders_by_name_gets_what_it_expects(version, tmp_path):
    source = file_of_keras_2(str(tmp_path / "s.h5"), "2.2.4", False)
    there = str(tmp_path / "t.h5")
    migrate(source, there, "keras-2.2", write_options={"keras_version": version})
    expected = file_of_keras_2(str(tmp_path / "expected.h5"), version, True)
    with h5py.File(there, "r") as ours, h5py.File(expected, "r") as theirs:
        assert hdf5.text(ours.attrs["keras_version"]) == version
        lists = []
        for opened in (ours, theirs):
            group = opened["optimizer_weights"]
            lists.append([group[name][()] for name in group.attrs["weight_names"]])
    for one, other in zip(*lists):
        np.testing.assert_array_equal(one, other)
    assert_every_velocity_is_at_its_layer(read(there))


def test_slots_are_not_ordered_by_names_that_are_not_known(tmp_path):
    state = read(file_of_keras_2(str(tmp_path / "s.h5"), "2.2.4", False))
    with pytest.raises(CheckpointError, match="--model FILE"):
        write(state, str(tmp_path / "t.h5"), "keras-2.2", keras_version="2.0.5")


def test_a_release_is_found_by_its_numbers():
    assert release_of(layouts.KERAS_2_2, "2.0.10").slot_order == "model"
    assert release_of(layouts.KERAS_2_2, "2.0.5").slot_order == "name"
    assert release_of(layouts.TF_KERAS_1_10, "2.0.5-tf").slot_order == "model"
    assert release_of(layouts.TF_KERAS_1_10, "2.1.5-tf").clipnorm == "common"
    assert release_of(layouts.TF_KERAS_1_10, "2.1.6-tf").clipnorm == "unknown"
    assert layout_of({"lr": 1}, "2.0.5", []) is layouts.KERAS_2_2


RECORDED = [(era, case) for era in files.RELEASES for case in problem.cases_of(era)]


def entries(report):
    return {entry.field: entry for entry in report.entries}


def of(case):
    """(era, case) of the recorded releases that have the case and kept its state."""
    return [(e, c) for e, c in RECORDED if c == case and not e.endswith("-legacy")]


def first_of(generation, case):
    """A file of the first release with the optimizers of a generation."""
    eras = [era for era, _ in of(case) if problem.ERAS[era].generation == generation]
    return files.of_release(eras[0], case)


@pytest.mark.parametrize("era,case", of("adam_inverse_time"))
def test_inverse_time_decay_is_decay_whatever_its_steps(era, case, tmp_path):
    source, target = files.of_release(era, case), str(tmp_path / "t.h5")
    report = migrate(source, target, "keras-optimizers").report
    assert not report.inexact
    state = read(target)
    assert state.hyperparameters["lr"] == pytest.approx(0.01)
    assert state.hyperparameters["decay"] == pytest.approx(0.1)  # 0.5 in 5 steps
    assert verification.compare(read(source), state).is_same()


SCHEDULED = of("sgd_exponential") + of("adam_piecewise") + of("adam_polynomial")


@pytest.mark.parametrize("era,case", SCHEDULED)
def test_a_schedule_is_exact_where_the_target_has_it_and_verified(era, case, tmp_path, capfd):
    source, target = files.of_release(era, case), str(tmp_path / "t.keras")
    report = migrate(source, target, "keras-3").report
    assert entries(report)["lr"].status == "copied" and not report.inexact
    state = read(target)
    schedule = state.hyperparameters["learning_rate_schedule"]
    assert schedule["config"].get("name", "") is not None  # Keras 3 refuses None
    assert cli.main(["verify", source, target]) == 0
    state.hyperparameters["learning_rate_schedule"] = dict(schedule, config={"other": 1})
    assert not verification.compare(read(source), state).is_same()


EMBEDDINGS = [
    # Does the target treat rows that no batch touches otherwise, or repeated lookups?
    ("optimizer-v2", "embedding_sgd", "keras-optimizers", True),
    ("optimizer-v2", "embedding_adadelta", "keras-2.3", True),
    ("optimizer-v2", "embedding_adamax", "tf-keras-2.11", True),
    ("optimizer-v2", "embedding_nadam", "keras-optimizers", True),
    ("optimizer-v2", "embedding_adam", "keras-optimizers", False),
    ("optimizer-v2", "embedding_adagrad", "keras-optimizers", False),
    ("optimizer-v2", "embedding_sgd", "optimizer-v2", False),
    ("r1.10", "embedding_sgd", "optimizer-v2", True),
    ("r1.10", "embedding_adamax", "optimizer-v2", True),
    ("r1.10", "embedding_adam", "optimizer-v2", False),
    ("r1.10", "embedding_sgd", "keras-3", False),
    ("r1.10", "embedding_adam", "keras-3", True),
    ("tf-2.11", "embedding_sgd", "optimizer-v2", True),
    ("tf-2.11", "embedding_sgd", "keras-3", False),
    ("tf-2.11", "embedding_adam", "keras-3", True),
    ("keras-3", "embedding_adam", "keras-3", False),
    ("keras-3", "embedding_adam", "keras-optimizers", True),
]


@pytest.mark.parametrize("kind,case,to,differs", EMBEDDINGS)
def test_a_model_with_an_embedding_is_exact_only_between_eras_that_treat_rows_alike(
    kind, case, to, differs, tmp_path, capfd
):
    source = first_of(kind, case)
    target = str(tmp_path / "t") + (".keras" if to == "keras-3" else ".h5")
    report = migrate(source, target, to).report
    assert ("rows of embeddings" in entries(report)) == differs
    if differs:
        assert entries(report)["rows of embeddings"].status == "approximate"
        assert cli.main(["verify", source, target]) == 1
        assert "treat its rows differently" in capfd.readouterr().out


def test_a_normalization_that_is_held_fixed_computes_otherwise_before_tensorflow_2():
    layer = {"class_name": "BatchNormalization", "config": {"name": "n", "trainable": False}}
    assert layers.has_frozen_normalization({"class_name": "Sequential", "config": [layer]})
    layer["config"]["trainable"] = True
    assert not layers.has_frozen_normalization({"class_name": "Sequential", "config": [layer]})
    for source, to, differs in (
        (files.source("tf-keras-1.10", "adam"), "tf-keras-2.11", True),
        (files.source("tf-keras-1.10", "adam"), "keras-optimizers", False),
        (files.source("tf-keras-2.15", "adam"), "keras-optimizers", True),
        (files.source("tf-keras-2.15", "adam"), "keras-3", False),
    ):
        state = read(source)
        assert state.has_frozen_normalization is False
        state.has_frozen_normalization = True
        report = migration.prepare(state, registry.format_named(to)).report
        assert [entry.field for entry in report.inexact] == ["BatchNormalization"] * differs


def test_a_source_that_tells_no_model_may_have_an_embedding(tmp_path):
    state = read(first_of("optimizer-v2", "sgd_momentum"))
    assert state.has_embeddings is False
    assert not write(state, str(tmp_path / "a.h5"), "keras-optimizers").inexact
    state.has_embeddings = None
    (entry,) = write(state, str(tmp_path / "b.h5"), "keras-optimizers").inexact
    assert entry.field == "rows of embeddings" and "--model FILE" in entry.explanation
    source = first_of("optimizer-v2", "sgd_momentum")
    assert not write(state, str(tmp_path / "c.h5"), "keras-optimizers", source=source).inexact


@pytest.mark.parametrize("era,case", of("adam_ema") + of("adam_accumulation"))
def test_averages_and_accumulated_gradients_are_said_to_be_lost(era, case, tmp_path):
    report = migrate(files.of_release(era, case), str(tmp_path / "t.keras"), "keras-3").report
    option = {"adam_ema": "use_ema", "adam_accumulation": "gradient_accumulation_steps"}[case]
    assert [entry.field for entry in report.inexact] == [option]
    assert "not carried over" in entries(report)[option].explanation


@pytest.mark.parametrize(
    "era,case", [(e, c) for e, c in of("adam_by_name") if problem.ERAS[e].ending == ".keras"]
)
def test_an_optimizer_that_was_compiled_by_name_has_its_era_s_defaults(era, case):
    options = read(files.of_release(era, case)).hyperparameters
    assert options["lr"] == pytest.approx(0.001) and options["epsilon"] == 1e-7
    assert (options["beta_1"], options["beta_2"]) == (pytest.approx(0.9), pytest.approx(0.999))


@pytest.mark.parametrize("era,case", of("adamw"))
def test_adamw_is_adam_with_weight_decay(era, case, tmp_path):
    source, target = files.of_release(era, case), str(tmp_path / "t.keras")
    assert not migrate(source, target, "keras-3").report.inexact
    state = read(target)
    assert state.class_name == "Adam" and state.hyperparameters["weight_decay"] == 0.05


@pytest.mark.parametrize("era,case", of("adam_loss_scale"))
def test_the_optimizer_inside_a_loss_scale_is_read_and_the_scale_said_to_be_lost(
    era, case, tmp_path
):
    source = files.of_release(era, case)
    report = migrate(source, str(tmp_path / "t.h5"), "optimizer-v2").report
    assert [entry.field for entry in report.inexact] == ["loss_scale"]


@pytest.mark.parametrize("era", [e for e in files.RELEASES if "amsgrad" in problem.ERAS[e].lacks])
def test_adam_of_a_release_that_has_no_amsgrad_is_exact(era, tmp_path):
    report = migrate(files.of_release(era, "adam"), str(tmp_path / "t.h5"), "keras-2.3").report
    assert not report.inexact and entries(report)["amsgrad"].status == "copied"


@pytest.mark.parametrize("era,case", of("adagrad_untrained"))
def test_adagrad_that_no_step_was_taken_with_keeps_its_initial_accumulators(era, case, tmp_path):
    target = str(tmp_path / "t.h5")
    migrate(files.of_release(era, case), target, "keras-optimizers")
    initial = 0.0 if problem.ERAS[era].generation == "r1.10" else 0.1
    for _, _, array in read(target).arrays():
        np.testing.assert_array_equal(array.read(), np.full(array.shape, initial, "f4"))


@pytest.mark.parametrize("era,case", of("nested_sequential_adam"))
def test_a_sequential_model_in_a_sequential_model_goes_to_keras_3_with_its_name(
    era, case, tmp_path
):
    source, target = files.of_release(era, case), str(tmp_path / "t.keras")
    assert not migrate(source, target, "keras-3").report.inexact
    from keras_optimizers.checkpoint.formats.archive_files import Archive

    with Archive(target) as archive:
        layers = archive.config["config"]["layers"]
    assert "base" in [layer["config"]["name"] for layer in layers]
    assert verification.compare(read(source), read(target)).is_same()


@pytest.mark.parametrize("era,case", of("nadam"))
def test_nadam_of_keras_3_is_written_in_the_order_of_its_release(era, case, tmp_path):
    source = files.of_release(era, case)
    for version, first in (("3.4", True), ("3.9.2", True), ("3.10.0", False), (None, None)):
        target = str(tmp_path / ("t%s.keras" % version))
        options = {} if version is None else {"keras_version": version}
        migrate(source, target, "keras-3", write_options=options)
        if version is None:  # a file of Keras 3 stays one of its release
            first = era in ("keras-3.0", "keras-3.4", "keras-3.8")
        from keras_optimizers.checkpoint.formats.archive_files import Archive

        with Archive(target) as archive:
            shapes = [archive.weights["optimizer/vars/%d" % n].shape for n in range(3)]
        assert (shapes[2] == ()) == first, version
        state = read(target)
        assert state.iterations == problem.SAVE_AFTER and 0 < state.scalars["m_schedule"] < 1


def test_nadam_s_release_is_told_in_both_directions(tmp_path):
    source = files.of_release("keras-3.8", "nadam")
    for version, held, others in (
        (None, "3.0 to 3.9", "3.10"),
        ("3.10.0", "3.10 and later", "3.9"),
    ):
        options = {} if version is None else {"keras_version": version}
        target = str(tmp_path / f"t{version}.keras")
        notes = migrate(source, target, "keras-3", write_options=options).report.notes
        told = [note for note in notes if f"in the order of Keras {held}," in note]
        assert len(told) == 1 and told[0].endswith(f"say --keras-version {others}.")


@pytest.mark.parametrize("to, ending", [("keras-3", ".keras"), ("optimizer-v2", ".h5")])
def test_a_layer_that_keras_3_0_trained_though_fixed_is_trained_on(to, ending, tmp_path):
    source = files.of_release("keras-3.0", "functional_adam")
    target = str(tmp_path / f"t{ending}")
    outcome = migrate(source, target, to, strict=True)
    assert outcome.written
    assert any("trained fixed, whose constructor" in note for note in outcome.report.notes)
    candidates = registry.model_candidates(target)
    assert all(one.trainable is not False for one in candidates)
    state, expected = read(target), read(source)
    for role in ("first_moment", "second_moment"):
        held = state.slots[role]
        assert "fixed/kernel" in held
        for name, slot in expected.slots[role].items():
            np.testing.assert_array_equal(held[name].read(), slot.read())


def with_other_config(path, case, before, after):
    """A file of TensorFlow 2.10 whose model's config is changed."""
    shutil.copy(files.of_release("tf-2.10", case), path)
    with h5py.File(path, "r+") as opened:
        written = hdf5.text(opened.attrs["model_config"])
        assert before in written
        opened.attrs["model_config"] = written.replace(before, after, 1).encode()
    return path


def test_hard_sigmoid_goes_to_releases_of_keras_3_that_can_load_it(tmp_path):
    relu, hard = '"activation": "relu"', '"activation": "hard_sigmoid"'
    source = with_other_config(str(tmp_path / "source.h5"), "adam", relu, hard)
    assert migrate(source, str(tmp_path / "new.keras"), "keras-3", strict=True).written
    old = {"keras_version": "3.8.0"}
    with pytest.raises(
        CheckpointError, match=r"3\.10 and later alone, not to 3\.8\.0.*weights\.h5"
    ):
        migrate(source, str(tmp_path / "old.keras"), "keras-3", write_options=old)
    state = str(tmp_path / "old.weights.h5")
    assert migrate(source, state, "keras-3", write_options=old).written
    back = str(tmp_path / "back.h5")
    assert migrate(str(tmp_path / "new.keras"), back, "optimizer-v2", strict=True).written
    with h5py.File(back, "r") as written:
        assert '"hard_sigmoid"' in hdf5.text(written.attrs["model_config"])


ARCHIVES = [
    (e, c) for e, c in of("adam") + of("nested_adam") + of("eleven_adam") if e.endswith("-archive")
]


@pytest.mark.parametrize("era,case", ARCHIVES)
def test_the_layers_in_archives_of_keras_2_are_found(era, case, tmp_path):
    source, target = files.of_release(era, case), str(tmp_path / "t.keras")
    state = read(source)
    last = {"adam": "last/bias", "nested_adam": "output/bias", "eleven_adam": "last/kernel"}[case]
    assert state.parameters[-1].name == last
    saved = files.arrays_of_release(era, case, "saved")
    for parameter in state.parameters:
        assert any(np.array_equal(parameter.value.read(), value) for value in saved)
    assert not migrate(source, target, "keras-3").report.inexact
    again = read(target)
    assert [p.name for p in again.parameters] == [p.name for p in state.parameters]
    assert not migrate(source, str(tmp_path / "t.h5"), "keras-2.3").report.inexact


@pytest.mark.parametrize("case,said", [("functional_adam", True), ("adam", False)])
def test_a_functional_model_is_said_not_to_load_in_keras_3_0(case, said, tmp_path):
    report = migrate(first_of("optimizer-v2", case), str(tmp_path / "t.keras"), "keras-3").report
    assert any("Keras 3.0 does not load" in note for note in report.notes) == said


def test_keras_3_finds_what_its_early_releases_look_for(tmp_path):
    from keras_optimizers.checkpoint.formats.archive_files import Archive

    target = str(tmp_path / "t.keras")
    migrate(files.source("keras-2.3", "adam"), target, "keras-3")
    with Archive(target) as archive:
        assert "vars" in archive.weights and archive.config["compile_config"]["steps_per_execution"]


def test_an_optimizer_of_one_s_own_is_read_as_the_class_that_it_computes(tmp_path):
    path = file_of_keras_2(str(tmp_path / "s.h5"), "2.2.4", False)
    with h5py.File(path, "r+") as opened:
        written = opened.attrs["training_config"]
        text = written if isinstance(written, str) else written.decode()
        opened.attrs["training_config"] = text.replace('"SGD"', '"MySGD"').encode()
    with pytest.raises(CheckpointError, match="say --class NAME"):
        read(path)
    assert_every_velocity_is_at_its_layer(read(path, class_name="SGD"))


def test_a_schedule_beside_a_decay_is_refused(tmp_path):
    from keras_optimizers.checkpoint.eras import configs

    schedule = {
        "class_name": "InverseTimeDecay",
        "config": {"initial_learning_rate": 1.0, "decay_rate": 1.0, "decay_steps": 2},
    }
    config = {"learning_rate": schedule, "decay": 0.5, "momentum": 0.0}
    with pytest.raises(CheckpointError, match="and it has decay"):
        configs.parse(layouts.OPTIMIZER_V2, "SGD", config, "f")
    found, _ = configs.parse(layouts.OPTIMIZER_V2, "SGD", dict(config, decay=0.0), "f")
    assert (found["lr"], found["decay"]) == (1.0, 0.5)


@pytest.mark.parametrize("to", ["keras-optimizers", "keras-2.2", "optimizer-v2"])
def test_an_embedding_of_keras_2_0_gets_weights_of_floats(to, tmp_path):
    """Keras 2.0 wrote the dtype of the layer's input; later ones make weights of that dtype."""
    path = str(tmp_path / "new.h5")
    migrate(files.of_release("keras-2.0.5", "embedding_sgd"), path, to)
    with h5py.File(path, "r") as opened:
        config = json.loads(hdf5.text(opened.attrs["model_config"]))
    (dtype,) = [
        layer["config"].get("dtype", "float32")
        for layer in layers.layer_configs(config)
        if layer["class_name"] == "Embedding"
    ]
    assert dtype == "float32"


def test_a_number_that_keras_2_0_wrote_as_an_array_is_written_plain(tmp_path):
    source, target = str(tmp_path / "source.h5"), str(tmp_path / "new.h5")
    shutil.copyfile(files.source("keras-2.2", "adam"), source)
    alpha = {"type": "ndarray", "value": 0.25}
    leaky = {"class_name": "LeakyReLU", "config": {"name": "leaky", "alpha": alpha}}
    files.add_layers(source, leaky)
    migrate(source, target, "optimizer-v2", strict=True)
    with h5py.File(target, "r") as opened:
        found = layers.layer_configs(json.loads(hdf5.text(opened.attrs["model_config"])))[-1]
    assert found["config"]["alpha"] == 0.25


@pytest.mark.parametrize("version, expected", [("2.0.6", False), ("2.2.4", True)])
@pytest.mark.parametrize("to", ["keras-optimizers", "optimizer-v2", "tf-keras-2.11", "keras-2.2"])
def test_a_gru_says_which_kind_it_is_where_the_default_changed(to, version, expected, tmp_path):
    """Keras before 2.1.3 does not write `reset_after`; TensorFlow 2 takes that for True."""
    source, target = str(tmp_path / "source.h5"), str(tmp_path / "new.h5")
    shutil.copyfile(files.source("keras-2.2", "adam"), source)
    gru = {"class_name": "GRU", "config": {"name": "gru", "units": 2}}
    cell = {"class_name": "RNN", "config": {"cell": {"class_name": "GRUCell", "config": {}}}}
    wrapped = {"class_name": "Bidirectional", "config": {"layer": dict(gru, config={"units": 3})}}
    if expected:
        gru["config"]["reset_after"] = True
    files.add_layers(source, gru, cell, wrapped)
    with h5py.File(source, "r+") as opened:
        for group in (opened, opened["model_weights"]):
            group.attrs["keras_version"] = version.encode()
    migrate(source, target, to)
    with h5py.File(target, "r") as opened:
        found = layers.layer_configs(json.loads(hdf5.text(opened.attrs["model_config"])))[-3:]
    says = [
        found[0]["config"].get("reset_after"),
        found[1]["config"]["cell"]["config"].get("reset_after"),
        found[2]["config"]["layer"]["config"].get("reset_after"),
    ]
    assert says == (
        [expected or None, None, None] if to == "keras-2.2" else [expected, False, False]
    )


@pytest.mark.parametrize("to", ["keras-optimizers", "optimizer-v2"])
def test_slots_of_a_layer_that_the_config_holds_fixed_are_said_to_be_lost(to, tmp_path):
    """Any Keras keeps the slots of a layer that was fixed after `compile`."""
    trained, fixed = (f'"name": "embedding", "trainable": {value}' for value in ("true", "false"))
    source = with_other_config(str(tmp_path / "source.h5"), "embedding_adam", trained, fixed)
    report = migrate(source, str(tmp_path / "new.h5"), to).report
    assert "trainable" in [entry.field for entry in report.inexact]
    source = files.of_release("keras-3.4", "functional_adam")
    report = migrate(source, str(tmp_path / "other.h5"), to).report
    assert "trainable" not in [entry.field for entry in report.entries]
