"""The table of r1.10's facts agrees with everything that writes the same facts out in full."""

import inspect

import numpy as np
import pytest

from keras_optimizers import numpy_rules, reference
from keras_optimizers.checkpoint import OptimizerState, mathematics

CLASSES = sorted(reference.OPTIMIZERS)


@pytest.mark.parametrize("class_name", CLASSES)
def test_the_numpy_rules_have_the_defaults_of_the_table(class_name):
    rule = list(inspect.signature(numpy_rules.RULES[class_name]).parameters.values())[4:]
    defaults = {one.name: one.default for one in rule}
    if "epsilon" in defaults:
        assert defaults["epsilon"] is None  # K.epsilon()
        defaults["epsilon"] = numpy_rules.DEFAULT_EPSILON
    assert defaults == reference.OPTIMIZERS[class_name].defaults


@pytest.mark.parametrize("class_name", CLASSES)
def test_the_numpy_rules_keep_the_slots_and_counts_of_the_table(class_name):
    definition = reference.OPTIMIZERS[class_name]
    optimizer = numpy_rules.NumpyOptimizer(
        class_name, [np.zeros(2)], **({"amsgrad": True} if class_name == "Adam" else {})
    )
    scalars = 1 if class_name == "Nadam" else 0  # the product of the momenta
    assert len(optimizer.slots[0]) == scalars + len(definition.roles)
    counts = [weight for weight in optimizer.weights if weight.dtype.kind == "i"]
    assert bool(counts) == definition.counted


def test_clipping_is_the_same_everywhere():
    assert tuple(numpy_rules.CLIPPING) == reference.CLIPPING


@pytest.mark.parametrize("class_name", CLASSES)
def test_the_optimizers_have_the_defaults_slots_and_variables_of_the_table(class_name):
    tf = pytest.importorskip("tensorflow")
    import keras_optimizers

    definition, own = reference.OPTIMIZERS[class_name], getattr(keras_optimizers, class_name)
    signature = {
        name: one.default
        for name, one in inspect.signature(own).parameters.items()
        if name != "kwargs"
    }
    if "epsilon" in signature:
        assert signature["epsilon"] is None
        signature["epsilon"] = tf.keras.backend.epsilon()
    assert signature == definition.defaults
    assert own.slot_roles == definition.roles
    # In tf.keras 1.15 all weights but those of r1.10's uncounted classes begin with iterations.
    assert ("iterations" in own.weight_scalars) == definition.counted
    before = {one.name for one in tf.compat.v1.global_variables()}
    own()
    created = [one.name for one in tf.compat.v1.global_variables() if one.name not in before]
    names = [name.split(":")[0].split("/")[-1] for name in created]
    assert sorted(names) == sorted(definition.variables)


@pytest.mark.parametrize("steps", [0, 1, 2, 1000])
def test_nadam_s_product_is_the_one_that_the_rule_and_the_class_multiply_up(steps):
    state = OptimizerState("Nadam", {"beta_1": 0.9, "schedule_decay": 0.004}, steps, [], {})
    product = mathematics.momentum_product(state, steps)
    optimizer = numpy_rules.NumpyOptimizer("Nadam", [np.zeros(1, "f4")])
    for _ in range(steps):
        optimizer.step([np.zeros(1, "f4")])
    assert product == optimizer.slots[0][0] and product.dtype == np.float32
    pytest.importorskip("tensorflow")
    import keras_optimizers
    from tests.training import make_trainable

    live = keras_optimizers.Nadam()
    make_trainable(live, (1,))
    live.set_weights([steps, [0.0], [0.0]])  # r1.10's list, which has no product
    assert product == live.get_weights()[1]
