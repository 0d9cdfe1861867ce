"""Our optimizers behave as the recorded upstream versions did."""

import os

import pytest

import keras_optimizers
from keras_optimizers.conformance import (
    assert_conforms,
    behaviour,
    parametrize_with_checks,
    references,
    results,
    run,
)
from keras_optimizers.conformance.checks import COMPARED
from keras_optimizers.conformance.recorder import cases
from keras_optimizers.conformance.subject import Subject
from keras_optimizers.tensorflow_private import RELEASE

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IS_1 = RELEASE.first == (1, 15)
OURS = [getattr(keras_optimizers, name) for name in cases.CLASS_NAMES]
# What an optimizer did in a case is kept, and compared with several references.
SUBJECTS = [Subject(factory) for factory in OURS]
# Where 1.15's old classes, which ours follow, are not as r1.10.
DIFFERENT_IN_TF_110 = {
    ("SGD", "clipping", "lookups_sgd_clipvalue"),  # 1.15 clips the values of a lookup as they are
    ("Nadam", "resume", "resume_nadam"),  # r1.10's weights lack the schedule
    ("Nadam", "weights_layout", "nadam"),
}


# TensorFlow 2 has other words for one error.
@parametrize_with_checks(
    OURS, reference="tf-1.15" if IS_1 else "tf-2.15-v1", allow_documented=not IS_1
)
def test_equal_to_tensorflows_own_old_classes_to_the_bit(check):
    check()


@pytest.mark.skipif(not IS_1, reason="compares bits with TensorFlow 1.10")
def test_the_class_of_the_page_clips_a_lookup_as_110_did():
    with open(os.path.join(ROOT, "docs", "behaviour.md"), encoding="utf-8") as opened:
        code = opened.read().partition("```python\n")[2].partition("```")[0]
    made = {}
    exec(code, made)
    only = ["lookups_sgd_clipvalue"]
    assert_conforms(made["SumsBeforeClipping"], "tf-1.10", cases=only, class_name="SGD")
    with pytest.raises(AssertionError, match="lookups_sgd_clipvalue"):
        assert_conforms(keras_optimizers.SGD, "tf-1.10", cases=only)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_equal_to_tensorflow_110_but_for_what_115_changed(subject):
    found = run(subject, "tf-1.10")
    assert not results.failures(found), results.as_text(results.failures(found))
    documented = {(r.optimizer, r.check, r.case) for r in found if r.status == "documented"}
    if not IS_1:  # whose roots of infinity are infinity, and of 1.10 no numbers
        documented = {one for one in documented if not one[2].startswith("extreme")}
        # TensorFlow 2's own old classes name another class of tensors in that error.
        documented = {one for one in documented if one[2] != "parameter is a tensor"}
    assert documented == {one for one in DIFFERENT_IN_TF_110 if one[0] == subject.name}


@pytest.mark.slow
def test_against_every_version_sgd_differs_exactly_where_the_page_says():
    sgd = SUBJECTS[0]
    if references.load_reference("tf-1.15").facts["square_roots"] != sgd.square_roots:
        pytest.skip("the page is of the recordings' square roots, which are not this machine's")
    own = set(sgd.own_cases())
    for version in references.names():
        listed = {
            (status, check, name)
            for (status, check), names in behaviour.differences_of_ours(version).items()
            for name in names
            if name in own or name.startswith("SGD ")
        }
        found = run(sgd, version, checks_to_run=list(COMPARED))
        assert listed == {
            (one.status, one.check, results.name_of(one))
            for one in found
            if one.status not in ("equal", "skipped")
        }, version


def test_a_recording_of_another_processor_is_explained():
    """On Intel this one is equal to the bit, and the others are explained."""
    path = os.path.join(references.FOLDER, "tf-1.10@intel.json")
    found = run(SUBJECTS[2], path, checks_to_run=["trajectory", "decay"])
    compared = [result for result in found if result.status != "skipped"]
    assert {result.status for result in compared} <= {"equal", "explained"} and len(compared) > 3
    here = references.load_reference("tf-1.10").facts["square_roots"] == SUBJECTS[2].square_roots
    explained = [result for result in compared if result.status == "explained"]
    assert bool(explained) == (here or not IS_1)
    for result in explained:
        assert result.case != "adagrad_float64" and max(result.absolute) < 1e-5
        assert "square roots are not the recording's here" in result.text


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_within_rounding_of_the_rules_in_numpy(subject):
    checks = ["trajectory", "decay", "clipping", "sparse"]
    found = run(subject, "numpy", checks_to_run=checks)
    assert not results.failures(found), results.as_text(results.failures(found))
    assert sum(result.status == "equal" for result in found) > 3
