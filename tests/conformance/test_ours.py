"""Our optimizers behave as the recorded upstream versions did."""

import pytest

import keras_optimizers
from keras_optimizers.conformance import parametrize_with_checks, results, run
from keras_optimizers.conformance.recorder import cases

OURS = [getattr(keras_optimizers, name) for name in cases.CLASS_NAMES]
# Where 1.15's old classes, which ours follow, are not as r1.10.
DIFFERENT_IN_TF_110 = {
    ("SGD", "clipping", "lookups_sgd_clipvalue"),  # 1.15 clips the values of a lookup as they are
    ("Nadam", "resume", "resume_nadam"),  # r1.10's weights lack the schedule
    ("Nadam", "weights_layout", "nadam"),
}


@parametrize_with_checks(OURS, reference="tf-1.15")
def test_equal_to_tensorflow_115_to_the_bit(check):
    check()


@pytest.mark.parametrize("factory", OURS, ids=lambda factory: factory.__name__)
def test_equal_to_tensorflow_110_but_for_what_115_changed(factory):
    found = run(factory, "tf-1.10")
    assert not results.failures(found), results.as_text(results.failures(found))
    documented = {(r.optimizer, r.check, r.case) for r in found if r.status == "documented"}
    assert documented == {one for one in DIFFERENT_IN_TF_110 if one[0] == factory.__name__}


@pytest.mark.parametrize("factory", OURS, ids=lambda factory: factory.__name__)
def test_within_rounding_of_the_rules_in_numpy(factory):
    checks = ["trajectory", "decay", "clipping", "sparse"]
    found = run(factory, "numpy", checks_to_run=checks)
    assert not results.failures(found), results.as_text(results.failures(found))
    assert sum(result.status == "equal" for result in found) > 3
