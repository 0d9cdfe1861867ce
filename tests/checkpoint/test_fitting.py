"""What becomes of each field of a state in layouts that can say more, less or something else."""

import numpy as np
import pytest

from keras_optimizers.checkpoint import (
    Array,
    OptimizerState,
    Parameter,
    Provenance,
    Report,
    mathematics,
)
from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.errors import NotRepresentable
from keras_optimizers.checkpoint.fitting import fit
from keras_optimizers.checkpoint.report import UNUSED
from keras_optimizers.reference import OPTIMIZERS

NAMES = ("kernel", "bias")
# Everything of r1.10, all steps, nothing of later eras.
PLAIN = layouts.KERAS_OPTIMIZERS
LATER = layouts.TF_KERAS_2_11


def a_state(class_name="Adam", iterations=5, shape=(2, 3), names=NAMES, **options):
    """A state with all hyperparameters and all slots, from a file of this package."""
    defaults = dict(OPTIMIZERS[class_name].defaults)
    hyperparameters = dict(defaults, **options)
    slots = {
        role: {name: np.full(shape, 0.5, np.float32) for name in names}
        for role in OPTIMIZERS[class_name].roles
    }
    parameters = [Parameter(name, shape, "float32") for name in names]
    state = OptimizerState(class_name, hyperparameters, iterations, parameters, slots)
    state.provenance = Provenance("model.h5", PLAIN.name)
    state.has_embeddings = state.has_frozen_normalization = False
    return state


def fitted(state, layout=PLAIN):
    """The state that was made, the last (status, explanation) of each field, and the notes."""
    report = Report()
    result = fit(state, layout, report)
    entries = {entry.field: (entry.status, entry.explanation) for entry in report.entries}
    return result, entries, report.notes


def test_a_state_of_the_same_layout_is_copied_field_by_field():
    state = a_state(lr=0.001953125)
    result, entries, notes = fitted(state)
    assert result is not state and result.hyperparameters == state.hyperparameters
    assert entries["lr"] == ("copied", "0.001953125") and entries["amsgrad"] == ("copied", "False")
    assert entries["iterations"] == ("copied", "5")
    assert entries["first_moment"] == ("copied", "2 arrays, 48 bytes")
    assert notes == []


def test_the_source_s_state_is_left_as_it_is():
    state = a_state(iterations=None, clipnorm=1.0, weight_decay=0.1)
    before = dict(state.hyperparameters)
    fitted(state, layouts.TF_TRAIN)
    assert state.hyperparameters == before and state.iterations is None
    assert list(state.slots) == list(OPTIMIZERS["Adam"].roles)


def test_what_the_source_leaves_out_has_its_era_s_default_or_r1_10_s():
    state = a_state("Adagrad")
    for name in ("lr", "epsilon"):
        del state.hyperparameters[name]
    state.era_defaults = {"lr": 0.25}
    result, entries, notes = fitted(state)
    assert result.hyperparameters["lr"] == 0.25 and result.hyperparameters["epsilon"] == 1e-7
    said = "the source does not hold it. Give it with --set"
    assert entries["lr"] == ("defaulted", "0.25, its era's default: %s lr=VALUE" % said)
    assert entries["epsilon"] == ("defaulted", "1e-07, r1.10's default: %s epsilon=VALUE" % said)
    assert entries["decay"] == ("copied", "0")
    # What an era says itself needs no remark about other eras' defaults.
    (note,) = notes
    assert "Adagrad without epsilon: 1e-07 is used" in note
    assert note.endswith("If the source is from there: --set epsilon=1e-08.")


def test_defaults_of_the_other_keras_are_not_brought_up():
    state = a_state("Adagrad")
    del state.hyperparameters["lr"], state.hyperparameters["epsilon"]
    state.provenance = Provenance("", layouts.KERAS_2_2.name)
    _, _, notes = fitted(state)
    assert len(notes) == 1 and "in Keras 2.0 the default is" in notes[0]


def test_notes_doubts_and_what_was_left_out_reach_the_report():
    state = a_state()
    state.notes = ["a remark"]
    state.doubts = {"clipnorm": "it may mean the other norm"}
    state.left_out = {"scale": "nothing reads it"}
    _, entries, notes = fitted(state)
    assert notes == ["a remark"]
    assert entries["clipnorm"] == ("defaulted", "it may mean the other norm")
    assert entries["scale"] == ("lost", "nothing reads it")


# Rows of embeddings.

TOUCHED = PLAIN._replace(name="touched", touched_rows=("Adam",))
ROWS = "rows of embeddings"


@pytest.fixture
def layouts_of_rows(monkeypatch):
    monkeypatch.setitem(layouts._ALL_LAYOUTS, "touched", TOUCHED)


@pytest.mark.parametrize("shape,said", [((4,), False), ((4, 2), True), ((4, 2, 2), False)])
def test_only_a_matrix_can_be_an_embedding(shape, said, layouts_of_rows):
    state = a_state(shape=shape)
    state.has_embeddings = None
    assert (ROWS in fitted(state, TOUCHED)[1]) == said


def test_rows_are_said_to_be_treated_otherwise_where_they_are(layouts_of_rows):
    state = a_state()
    state.has_embeddings = True
    assert ROWS not in fitted(state, PLAIN)[1]
    status, explanation = fitted(state, TOUCHED)[1][ROWS]
    assert status == "approximate"
    assert explanation == (
        "Adam of touched leaves the slots of a row alone until a batch looks it up; "
        "keras-optimizers decays the slots of all rows in every step, and sums a batch's "
        "gradients of a row"
    )
    state.provenance = Provenance()
    assert "; ours decays" in fitted(state, TOUCHED)[1][ROWS][1]
    state.has_embeddings = False
    assert ROWS not in fitted(state, TOUCHED)[1]
    state.has_embeddings = None
    assert fitted(state, TOUCHED)[1][ROWS][1].startswith("if the model has an Embedding")


def test_rows_of_which_each_lookup_is_squared_are_said_to_be():
    state = a_state()
    state.has_embeddings = True
    explanation = fitted(state, layouts.KERAS_3)[1][ROWS][1]
    assert explanation.startswith("Adam of keras-3 squares the gradient of each lookup by itself")


# A BatchNormalization that is held fixed.


def test_a_fixed_normalization_that_computes_alike_or_is_not_there_is_not_reported():
    state = a_state()
    state.provenance = Provenance("", layouts.TF_KERAS_1_10.name)  # uses the batch's averages
    assert "BatchNormalization" not in fitted(state, LATER)[1]
    state.has_frozen_normalization = True
    assert "BatchNormalization" not in fitted(state, layouts.TF_KERAS_1_10)[1]
    status, explanation = fitted(state, LATER)[1]["BatchNormalization"]
    assert status == "approximate" and explanation.startswith("the model holds a BatchNorm")


def test_where_releases_of_an_era_differ_a_fixed_normalization_is_a_note():
    state = a_state()
    state.has_frozen_normalization = True
    for source, target in ((layouts.KERAS_2_2, LATER), (LATER, layouts.KERAS_2_2)):
        state.provenance = Provenance("", source.name)
        _, entries, notes = fitted(state, target)
        assert "BatchNormalization" not in entries
        assert [note[:26] for note in notes] == ["BatchNormalization: the mo"]


# The learning rate.

SCHEDULE = {"class_name": "ExponentialDecay", "config": {}}


def test_a_schedule_is_copied_or_refused():
    state = a_state(learning_rate_schedule=SCHEDULE)
    del state.hyperparameters["lr"]
    result, entries, _ = fitted(state, LATER)
    assert entries["lr"] == ("copied", "the schedule ExponentialDecay")
    assert "lr" not in result.hyperparameters and entries["beta_1"][0] == "copied"
    with pytest.raises(NotRepresentable, match="schedule, ExponentialDecay, and keras-optimizers"):
        fitted(state, PLAIN)


def test_a_decay_is_a_schedule_where_the_era_has_no_other():
    decaying = "as a learning-rate schedule, InverseTimeDecay"
    assert fitted(a_state(decay=0.5), LATER)[1]["decay"] == ("recomputed", decaying)
    assert fitted(a_state(decay=0.5), PLAIN)[1]["decay"] == ("copied", "0.5")
    assert fitted(a_state(decay=0.0), LATER)[1]["decay"] == ("copied", "0")


# Options of later eras.


def test_weight_decay_is_copied_where_the_era_has_it_and_what_follows_is_seen_all_the_same():
    state = a_state(weight_decay=0.25, use_ema=True)
    result, entries, _ = fitted(state, LATER)
    assert entries["weight_decay"] == ("copied", "0.25")
    assert result.hyperparameters["weight_decay"] == 0.25
    status, explanation = entries["use_ema"]
    assert (status, explanation) == (
        "lost",
        "True: the moving averages of the parameters are not carried over; set it in code",
    )
    assert "use_ema" not in result.hyperparameters


def test_later_options_that_the_era_lacks_are_lost_one_by_one():
    options = {
        "weight_decay": 0.25,
        "use_ema": True,
        "loss_scale_factor": 8.0,
        "gradient_accumulation_steps": 4,
    }
    result, entries, _ = fitted(a_state(**options), PLAIN)
    for name, shown in zip(options, ("0.25", "True", "8", "4")):
        said = "keras-optimizers has no %s; it was %s" % (name, shown)
        assert entries[name] == ("lost", said)
        assert name not in result.hyperparameters
    # Those of no effect are not worth a word, and hide none that follows.
    options.update(weight_decay=None, use_ema=False)
    _, entries, _ = fitted(a_state(**options), PLAIN)
    assert "weight_decay" not in entries and "use_ema" not in entries
    assert entries["loss_scale_factor"][0] == "lost"


def test_an_option_without_a_state_of_its_own_is_set_in_code():
    _, entries, _ = fitted(a_state(loss_scale_factor=8.0), layouts.KERAS_3)
    said = "8: it is not carried over; set it in code"
    assert entries["loss_scale_factor"] == ("lost", said)


def test_what_later_eras_added_to_rmsprop_is_copied_or_refused():
    state = a_state("RMSprop", momentum=0.0, centered=True)
    assert fitted(state, LATER)[1]["centered"] == ("copied", "True")
    with pytest.raises(NotRepresentable, match="RMSprop has centered=True, which keras-optim"):
        fitted(state, PLAIN)
    state.hyperparameters["centered"] = False
    assert "centered" not in fitted(state, LATER)[1]
    fitted(a_state("RMSprop", momentum=0.0), PLAIN)
    assert fitted(a_state("SGD", momentum=0.75), PLAIN)[1]["momentum"] == ("copied", "0.75")


# Epsilon.

INSIDE = PLAIN._replace(name="inside", epsilon_inside_root=("Adagrad", "SGD", "RMSprop"))


def test_epsilon_goes_inside_the_root_as_its_square_or_the_smallest_float():
    result, entries, _ = fitted(a_state("Adagrad", epsilon=0.5), INSIDE)
    assert result.hyperparameters["epsilon"] == 0.25
    assert result.hyperparameters["epsilon_inside_root"] is True
    said = "sqrt(a) + 0.5 becomes sqrt(a + 0.25): inside computes it so"
    assert entries["epsilon"] == ("approximate", said)
    result, _, _ = fitted(a_state("Adagrad", epsilon=1e-30), INSIDE)
    assert result.hyperparameters["epsilon"] == float(np.finfo(np.float32).tiny)


def test_epsilon_goes_outside_the_root_as_what_it_adds_for_the_median():
    state = a_state("RMSprop", epsilon=0.75, epsilon_inside_root=True, shape=(3,))
    state.slots["mean_square"]["kernel"] = Array.of(np.float32([0.25, 1.0, -0.25]))
    state.slots["mean_square"]["bias"] = Array.of(np.float32([0.25, 0.25, 9.0]))
    result, entries, _ = fitted(state)
    assert result.hyperparameters["epsilon"] == 0.5  # sqrt(0.25 + 0.75) - sqrt(0.25)
    assert result.hyperparameters["epsilon_inside_root"] is False
    said = "sqrt(a + 0.75) becomes sqrt(a) + 0.5, equal for the median a: keras-optimizers"
    assert entries["epsilon"] == ("approximate", said + " computes it so")
    state.slots = {}
    assert fitted(state)[0].hyperparameters["epsilon"] == float(np.sqrt(0.75))


def test_the_median_is_that_of_the_first_slot_and_of_every_second_element_of_a_large_one():
    for size, every_second in ((199999, False), (200000, True)):
        inside = {"epsilon": 0.75, "epsilon_inside_root": True}
        state = a_state("Adadelta", shape=(size,), names=("k",), **inside)
        values = np.full(size, 9.0, np.float32)
        values[::2] = 0.25
        values[:4] = 9.0  # so that these are not the half of all
        state.slots["mean_square_gradient"]["k"] = Array.of(values)
        assert (fitted(state)[0].hyperparameters["epsilon"] == 0.5) == every_second


def test_an_epsilon_of_zero_is_the_same_on_both_sides():
    result, entries, _ = fitted(a_state("Adagrad", epsilon=0.0), INSIDE)
    assert result.hyperparameters["epsilon"] == 0
    assert result.hyperparameters["epsilon_inside_root"] is True
    assert entries["epsilon"] == ("copied", "0")
    result, _, _ = fitted(a_state("Adagrad", epsilon=1.0), INSIDE)
    assert result.hyperparameters["epsilon"] == 1.0


def test_a_class_without_epsilon_has_none_on_either_side():
    result, entries, _ = fitted(a_state("SGD"), INSIDE)
    assert "epsilon" not in entries and "epsilon" not in result.hyperparameters


# Steps.


def test_unknown_steps_are_0_and_a_default_only_where_something_depends_on_them():
    result, entries, _ = fitted(a_state("Adam", iterations=None))
    assert result.iterations == 0
    said = "0: the source does not hold it; give it with --iterations N"
    assert entries["iterations"] == ("defaulted", said)
    result, entries, _ = fitted(a_state("SGD", iterations=None))
    assert result.iterations == 0
    said = "the source does not hold it; nothing depends on it"
    assert entries["iterations"] == (UNUSED, said)


UNCOUNTED = PLAIN._replace(name="uncounted", counted=())


def test_steps_that_the_layout_drops_are_unused_without_decay_and_inside_the_rates_with_it():
    result, entries, _ = fitted(a_state("SGD", iterations=4), UNCOUNTED)
    said = "4: uncounted has no place for it; nothing depends on it"
    assert entries["iterations"] == (UNUSED, said) and result.iterations == 4
    result, entries, _ = fitted(a_state("SGD", iterations=4, lr=0.5, decay=0.25), UNCOUNTED)
    assert result.hyperparameters["lr"] == 0.25 and result.hyperparameters["decay"] == 0.125
    assert result.iterations == 0 and result.steps_in_rates == 4
    said = "%s: uncounted has no place for iterations (4); with these the rate goes on where it"
    assert entries["lr"] == ("recomputed", said % "0.25" + " stopped")
    assert entries["decay"] == ("recomputed", said % "0.125" + " stopped")
    assert entries["iterations"] == ("recomputed", "4, inside lr and decay")


# Nadam.


def test_the_product_of_momenta_is_copied_or_computed():
    state = a_state("Nadam", iterations=3)
    result, entries, _ = fitted(state)
    product = mathematics.momentum_product(state, 3)
    assert result.scalars["m_schedule"] == product and product < 0.3
    assert entries["m_schedule"] == ("recomputed", "%.9g, from iterations" % product)
    state.scalars["m_schedule"] = np.float32(0.125)
    result, entries, _ = fitted(state)
    assert result.scalars["m_schedule"] == np.float32(0.125)
    assert entries["m_schedule"] == ("copied", "0.125")
    state.iterations = None
    del state.scalars["m_schedule"]
    assert fitted(state)[0].scalars["m_schedule"] == 1.0


def test_where_the_product_has_no_place_it_is_lost_and_a_fixed_pace_is_approximate():
    state = a_state("Nadam")
    _, entries, _ = fitted(state, layouts.TF_KERAS_1_10)
    status, explanation = entries["m_schedule"]
    assert status == "lost" and explanation.startswith("tf-keras-1.10 does not hold the product")
    assert entries["schedule_decay"] == ("copied", "0.004")
    result, entries, _ = fitted(state, LATER)
    assert result.hyperparameters["schedule_decay"] == 1.0
    said = "0.004 becomes 1: tf-keras-2.11 warms the momentum up at a fixed pace"
    assert entries["schedule_decay"] == ("approximate", said)
    same = fitted(a_state("Nadam", schedule_decay=1.0), LATER)[1]["schedule_decay"]
    assert same == ("copied", "1")


def test_other_optimizers_have_no_product_of_momenta():
    result, entries, _ = fitted(a_state("Adam"))
    assert "m_schedule" not in entries and result.scalars == {}


# Clipping.


def test_clipping_is_copied_under_the_layout_s_name():
    result, entries, _ = fitted(a_state(clipnorm=1.5, clipvalue=0.5), PLAIN)
    assert entries["clipnorm"] == ("copied", "1.5") and entries["clipvalue"] == ("copied", "0.5")
    assert result.hyperparameters["clipnorm"] == 1.5
    _, entries, _ = fitted(a_state(global_clipnorm=1.5), layouts.KERAS_2_3)
    assert entries["global_clipnorm"] == ("recomputed", "as clipnorm=1.5")


def test_a_clipping_that_is_not_set_is_no_clipping():
    _, entries, _ = fitted(a_state(clipnorm=None, clipvalue=0.5), layouts.KERAS_2_3)
    assert "clipnorm" not in entries and entries["clipvalue"] == ("copied", "0.5")


@pytest.mark.parametrize(
    "name,layout,words",
    [
        ("clipnorm", layouts.KERAS_2_3, "clips all gradients by their common norm, not each"),
        ("global_clipnorm", layouts.TF_KERAS_1_10, "clips each gradient by its own norm, not all"),
        ("clipvalue", PLAIN._replace(name="p", clipping={"clipnorm": "clipnorm"}), "does not clip"),
        ("clipnorm", layouts.TF_TRAIN, "does not clip; do it in code"),
    ],
)
def test_clipping_that_the_layout_lacks_is_lost(name, layout, words):
    result, entries, _ = fitted(a_state(**{name: 1.5}), layout)
    status, explanation = entries[name]
    assert status == "lost" and explanation.startswith("1.5: %s %s" % (layout.name, words))
    assert name not in result.hyperparameters


def test_of_one_parameter_both_norms_are_the_same():
    one = {"names": ("kernel",)}
    result, entries, _ = fitted(a_state(global_clipnorm=1.5, **one), layouts.TF_KERAS_1_10)
    assert result.hyperparameters["clipnorm"] == 1.5
    assert "global_clipnorm" not in result.hyperparameters
    assert entries["global_clipnorm"] == ("recomputed", "as clipnorm: there is one parameter")
    result, entries, _ = fitted(a_state(clipnorm=1.5, **one), layouts.KERAS_2_3)
    assert result.hyperparameters["global_clipnorm"] == 1.5
    assert entries["clipnorm"] == ("recomputed", "as clipnorm: there is one parameter")
    values = PLAIN._replace(clipping={"clipnorm": "clipnorm"})
    assert fitted(a_state(clipvalue=1.5, **one), values)[1]["clipvalue"][0] == "lost"


def test_clipping_that_only_later_releases_know_stays_where_it_came_from():
    state = a_state(global_clipnorm=1.5)
    result, entries, _ = fitted(state, layouts.OPTIMIZER_V2)
    said = "1.5: only TensorFlow 2.4 and later know it; set it in code"
    assert entries["global_clipnorm"] == ("lost", said)
    assert "global_clipnorm" not in result.hyperparameters
    state.provenance = Provenance("", layouts.OPTIMIZER_V2.name)
    result, entries, _ = fitted(state, layouts.OPTIMIZER_V2)
    assert entries["global_clipnorm"] == ("copied", "1.5")


# Slots.


def test_slots_that_the_source_lacks_are_zeros_and_a_default_only_where_steps_were_taken():
    state = a_state("Adadelta")
    del state.slots["mean_square_step"]
    said = "zeros: the source does not hold it"
    assert fitted(state)[1]["mean_square_step"] == ("defaulted", said)
    state.iterations = 0
    unused = (UNUSED, said + ", and nothing reads it")
    assert fitted(state)[1]["mean_square_step"] == unused
    idle = a_state("SGD", momentum=0.0)
    idle.slots = {}
    assert fitted(idle)[1]["velocity"] == unused


def test_slots_that_the_layout_lacks_are_lost_only_where_they_are_read(monkeypatch):
    without = layouts.OPTIMIZER_V2
    result, entries, _ = fitted(a_state("SGD", momentum=0.0), without)
    said = "nothing reads it with these hyperparameters"
    assert entries["velocity"] == (UNUSED, said) and result.slots == {}
    state = a_state("RMSprop", momentum=0.5)
    state.slots["momentum"] = dict(state.slots["mean_square"])
    result, entries, _ = fitted(state, LATER)
    assert entries["momentum"] == ("copied", "2 arrays, 48 bytes") and "momentum" in result.slots
    # No layout of today lacks a slot that is read.
    monkeypatch.setattr(layouts, "roles", lambda *arguments: ["first_moment", "second_moment"])
    result, entries, _ = fitted(a_state("Adam", amsgrad=True), PLAIN)
    assert entries["largest_second_moment"] == ("lost", "keras-optimizers has no such slot")
    assert list(result.slots) == ["first_moment", "second_moment"]
