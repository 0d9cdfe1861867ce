"""Defects are found, and the report says where and how large."""

import pytest

import keras_optimizers
from keras_optimizers.conformance import api, assert_conforms, record_all, results, run
from tests.conformance import broken


@pytest.fixture(autouse=True)
def apart_from_the_table_of_this_run(monkeypatch):
    """What is broken on purpose would stand at the end of a run that has passed: "2 failures"."""
    monkeypatch.setattr(api, "is_kept", lambda: False)


def failed(factory, check, case, class_name, reference="tf-1.15"):
    """The one result of a check on a case, which must be a failure."""
    found = run(factory, reference, None, [check], [case] if case else None, None, class_name)
    [result] = [one for one in found if one.status == "different"]
    return result


def test_epsilon_inside_the_root_shows_in_the_first_step_of_a_parameter():
    result = failed(broken.EpsilonInsideTheRoot, "trajectory", "rmsprop", "RMSprop")
    assert "step 1 of 30, parameter 0[" in result.text
    assert "The state is equal and the parameter is not" in result.text
    assert result.absolute[0] > 1e-4 and len(result.absolute) == 30


def test_a_late_decay_shows_in_the_second_step():
    result = failed(broken.LateDecay, "decay", "sgd_decay", "SGD")
    assert "step 2 of 30, velocity of parameter 0[" in result.text
    assert "depends on the number of steps" in result.text
    assert result.absolute[0] == 0 < result.absolute[1]


def test_a_late_decay_passes_where_there_is_no_decay():
    found = run(broken.LateDecay, checks_to_run=["trajectory", "sparse"], class_name="SGD")
    assert {result.status for result in found} == {"equal"}


def test_momentum_of_the_wrong_sign_shows_in_the_velocity_of_the_second_step():
    result = failed(broken.MomentumWithTheWrongSign, "trajectory", "sgd_momentum", "SGD")
    assert "step 2 of 30, velocity of parameter 0[" in result.text


def test_swapped_slots_show_in_the_values_and_the_line_shows_it_again():
    result = failed(broken.SwappedSlots, "trajectory", "adam", "Adam")
    assert "first moment of parameter 0" in result.text
    assert result.reproduce == (
        "keras-optimizers conformance tests.conformance.broken:SwappedSlots --reference tf-1.15 "
        "--check trajectory --case adam --class Adam"
    )


def test_a_race_is_found_without_running_into_it():
    result = failed(broken.Racing, "determinism", "sgd_decay", "SGD")
    assert "iterations with no order between" in result.text


def test_an_expected_failure_is_accepted_and_one_that_passes_is_a_failure():
    arguments = {"class_name": "SGD", "checks": ["decay"], "reference": "tf-1.15"}
    reason = {"decay": "it begins late"}
    assert_conforms(broken.LateDecay, expected_failed_checks=reason, **arguments)
    with pytest.raises(AssertionError, match=r"expected to fail .it begins late., and it conforms"):
        assert_conforms(keras_optimizers.SGD, expected_failed_checks=reason, **arguments)


def test_an_expectation_for_one_case_leaves_the_others_to_fail():
    with pytest.raises(AssertionError) as raised:
        assert_conforms(
            broken.LateDecay,
            class_name="SGD",
            checks=["decay"],
            expected_failed_checks={"decay[sgd_decay]": "it begins late"},
        )
    assert "sgd_nesterov_decay" in str(raised.value) and ", sgd_decay" not in str(raised.value)


def test_a_documented_difference_is_a_failure_unless_it_is_allowed():
    arguments = {"reference": "tf-1.10", "checks": ["resume"]}
    assert_conforms(keras_optimizers.Nadam, allow_documented=True, **arguments)
    with pytest.raises(AssertionError, match="resume_nadam"):
        assert_conforms(keras_optimizers.Nadam, **arguments)


def test_a_recording_of_ones_own_notices_a_change(tmp_path):
    path = str(tmp_path / "late.json")
    record_all(broken.LateDecay, path)
    assert_conforms(broken.LateDecay, path, checks=["trajectory", "decay"])
    # Another optimizer that is no class of the references, against the same recording.
    result = failed(broken.MomentumWithTheWrongSign, "decay", "custom_decay", "", path)
    assert "step 2 of 30" in result.text
    plain = run(broken.MomentumWithTheWrongSign, path, cases_to_run=["custom"])
    assert not results.failures(plain)


def test_a_changed_config_and_changed_errors_are_no_documented_difference(tmp_path):
    path = str(tmp_path / "late.json")
    record_all(broken.LateDecay, path)
    found = run(broken.OtherConfig, path, None, ["config_round_trip", "errors"])
    failed = {(result.check, result.case) for result in results.failures(found)}
    assert ("config_round_trip", "custom") in failed and ("errors", "unknown keyword") in failed


@pytest.mark.parametrize(
    "factory, arguments, words",
    [
        (5, {}, "must be a class or a function"),
        (dict, {"class_name": "Adam"}, "has no get_updates"),
        (broken.renamed, {}, "Say which one it must equal"),
        (broken.renamed, {"class_name": "Adma"}, "class_name must be one of"),
        (keras_optimizers.SGD, {"reference": "tf-1.11"}, "Did you mean"),
        (keras_optimizers.SGD, {"reference": "gone.json"}, "no recording 'gone.json'"),
        (keras_optimizers.SGD, {"checks": ["speed"]}, "Unknown check 'speed'"),
        (keras_optimizers.SGD, {"cases": ["sdg"]}, "Unknown case 'sdg'"),
        (keras_optimizers.SGD, {"level": "close"}, "level must be"),
        (keras_optimizers.SGD, {"host": "jax"}, "host must be"),
    ],
)
def test_wrong_arguments_get_one_sentence(factory, arguments, words):
    with pytest.raises(ValueError, match=words):
        assert_conforms(factory, **arguments)
