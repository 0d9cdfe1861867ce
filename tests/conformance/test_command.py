"""`keras-optimizers conformance`: exit status, messages, output."""

import json
import os

import pytest

from keras_optimizers import cli

BROKEN = "tests.conformance.broken:LateDecay"


def run(capsys, *arguments):
    status = cli.main(["conformance", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_an_optimizer_that_conforms_gives_0_and_a_table(capsys):
    status, out, _ = run(capsys, "keras_optimizers:SGD", "--check", "decay")
    assert status == 0 and out.startswith("optimizer") and "2 comparisons, 0 failures" in out


def test_an_optimizer_that_differs_gives_1_and_says_where(capsys):
    status, out, _ = run(capsys, BROKEN, "--class", "SGD", "--case", "sgd_decay")
    assert status == 1 and "step 2 of 30, velocity of parameter 0" in out
    assert "again: keras-optimizers conformance " + BROKEN in out


def test_a_documented_difference_gives_0_and_with_strict_1(capsys):
    arguments = ["keras_optimizers:Nadam", "--reference", "tf-1.10", "--check", "resume"]
    status, out, _ = run(capsys, *arguments)
    assert status == 0 and "tf-1.10, resume: resume_nadam" in out
    assert run(capsys, *arguments, "--strict")[0] == 1


def test_an_expected_failure_gives_0_and_one_that_passes_1(capsys):
    expected = ["--class", "SGD", "--check", "decay", "--expect", "decay=it begins late"]
    assert run(capsys, BROKEN, *expected)[0] == 0
    assert run(capsys, "keras_optimizers:SGD", *expected)[0] == 1


def test_json_has_every_result(capsys):
    arguments = ["keras_optimizers:Adagrad", "--check", "trajectory", "--json"]
    status, out, _ = run(capsys, *arguments)
    found = json.loads(out, parse_constant=lambda text: pytest.fail(text))
    assert status == 0 and found["failures"] == 0
    assert {result["case"] for result in found["results"]} >= {"adagrad", "extreme_adagrad"}


def test_the_report_is_one_page_without_scripts_or_anything_from_outside(capsys, tmp_path):
    path = tmp_path / "report.html"
    run(capsys, BROKEN, "--class", "SGD", "--check", "decay", "--html", str(path))
    page = path.read_text(encoding="utf-8")
    assert "<svg" in page and "step 2 of 30" in page and "AuthenticAMD" in page
    for forbidden in ("<script", "http:", "https:", "<link", "@import", "url("):
        assert forbidden not in page


def test_names_in_the_report_are_escaped():
    from keras_optimizers.conformance import html_report, results

    result = results.make_result("<b>", "tf-1.15", "decay", "case", "different", "a < b & c")
    page = html_report.page([result])
    assert "<b>" not in page and "a &lt; b &amp; c" in page


def test_a_recording_is_written_and_compared_with(capsys, tmp_path, monkeypatch):
    path = str(tmp_path / "late.json")
    assert run(capsys, BROKEN, "--record", path)[0] == 0
    assert sorted(os.listdir(str(tmp_path))) == ["arrays.npz", "late.json"]
    assert run(capsys, BROKEN, "--reference", path, "--check", "decay")[0] == 0
    other = ["tests.conformance.broken:MomentumWithTheWrongSign", "--reference", path]
    status, out, _ = run(capsys, *other, "--check", "decay")
    assert status == 1 and path in out


def test_the_list_needs_no_tensorflow_and_names_everything(capsys):
    status, out, _ = run(capsys, "--list")
    assert status == 0 and "keras-2.0.9" in out and "weights_layout" in out and "adam_decay" in out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--reference", "tf-9"], "Unknown reference 'tf-9'"),
        (["--reference", "gone.json"], "no recording 'gone.json'"),
        (["nonsense"], "is not MODULE:FACTORY"),
        (["not_a_module:Adam"], "Cannot import 'not_a_module'"),
        (["keras_optimizers:Adma"], "has no 'Adma'"),
        (["builtins:dict", "--class", "Adam"], "has no get_updates"),
        (["tests.conformance.broken:renamed"], "Say which one it must equal"),
        (["keras_optimizers:SGD", "--case", "adam"], "No check has the case adam for SGD"),
        (["keras_optimizers:SGD", "--level", "near"], "level must be"),
        (["keras_optimizers:SGD", "--expect", "decay"], "takes CHECK=REASON"),
        (["--html", "nowhere/report.html"], "There is no folder"),
        (["nonsense:X", "--class", "Admax"], "Did you mean 'Adamax'?"),
        (["--record", "x.json"], "exactly one MODULE:FACTORY"),
        (["keras_optimizers:SGD", "--record", "x.npz"], "is a .json file"),
    ],
)
def test_bad_usage_gives_2_and_one_sentence(capsys, arguments, words):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and words in err and "Traceback" not in err
    assert len(err.strip().split("\n")) == 1
