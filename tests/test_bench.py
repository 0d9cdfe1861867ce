"""The `bench` command, on real steps of small size."""

import json
import os
import sys

import pytest

from keras_optimizers.bench import cases, extras, report
from keras_optimizers.cli import main
from keras_optimizers.lowering.native import library

HAS_NATIVE = {"native"} if library.load() is not None else set()


@pytest.fixture(autouse=True)
def small_cases(monkeypatch):
    one = cases.CASES["small"]._replace(shapes=[(4, 4)] * 4)
    large = cases.CASES["large"]._replace(shapes=[(8, 8)] * 2)
    table = cases.CASES["embedding"]._replace(shapes=[(50, 4)], batch=8)
    smaller = {"small": one, "large": large, "embedding": table}
    for name, case in smaller.items():
        monkeypatch.setitem(cases.CASES, name, case)
    monkeypatch.setattr(extras, "_START_TENSORS", (4, 6))
    monkeypatch.setattr(extras, "_STATE_TENSORS", 3)
    monkeypatch.setattr(extras, "VOCABULARIES", (20, 40))
    monkeypatch.setattr(extras, "vocabulary_case", lambda rows: table._replace(shapes=[(rows, 4)]))
    monkeypatch.setattr(extras, "_EPOCH", 64)


def test_steps_are_measured_side_by_side_and_written(tmp_path, capsys):
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    arguments = ["bench", "--case", "small", "--case", "embedding", "--rounds", "2"]
    arguments += ["--optimizer", "Adam", "--optimizer", "Nadam"]
    assert main(arguments + ["--json", str(out), "--plot", str(picture)]) == 0
    results = json.loads(out.read_text())
    assert list(results["cases"]) == ["small", "embedding"]
    adam, nadam = results["cases"]["small"]
    expected = {"upstream", "OptimizerV2", "tf.train", "exact", "fused"}
    assert set(adam["milliseconds"]) == expected | HAS_NATIVE
    assert "tf.train" not in nadam["milliseconds"]  # which has no Nadam
    for timing in adam["milliseconds"].values():
        assert 0 < timing["lower"] <= timing["median"] <= timing["upper"]
        assert timing["cpu"] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "| Adam |" in printed and "exact : upstream" in printed


@pytest.mark.slow
def test_every_extra_is_measured(tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["bench", "--optimizer", "Adagrad", "--json", str(out)]
    for extra in ("state", "memory", "vocabulary", "fit", "start"):
        arguments += ["--extra", extra]
    assert main(arguments) == 0
    results = json.loads(out.read_text())
    assert not results["cases"]
    assert [record["call"] for record in results["extras"]["state"]] == [
        "get_weights",
        "set_weights",
    ]
    assert results["extras"]["memory"][0]["peak_megabytes"]["upstream"] > 0
    assert {record["rows"] for record in results["extras"]["vocabulary"]} == {20, 40}
    assert [record["tensors"] for record in results["extras"]["start"]] == [4, 6]
    assert "### Graph and start" in capsys.readouterr().out


def test_a_ratio_is_of_medians_and_above_one_where_ours_is_faster():
    times = {"upstream": {"median": 6.0}, "exact": {"median": 2.0}}
    assert report._ratio({"milliseconds": times}, "exact", ["upstream"], "median") == "3.00"
    assert report._ratio({"milliseconds": times}, "fused", ["upstream"], "median") == "-"


def test_the_tables_show_the_time_that_is_asked_for(tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["bench", "--case", "large", "--optimizer", "SGD", "--rounds", "1", "--cpu"]
    assert main(arguments + ["--json", str(out)]) == 0
    (record,) = json.loads(out.read_text())["cases"]["large"]
    printed = capsys.readouterr().out
    assert "upstream, CPU ms" in printed and "±" not in printed
    assert report._number(record["milliseconds"]["upstream"]["cpu"]) in printed


@pytest.mark.parametrize(
    "program, words", [("no-such-python", "does not run"), (sys.executable, "has no PyTorch")]
)
def test_a_python_without_pytorch_is_said_before_measuring(program, words, capsys):
    assert main(["bench", "--torch", program]) == 2
    assert words in capsys.readouterr().err


# What benchmarks/run and `tox -e torch` use.
TORCH = os.environ.get("TORCH", os.path.join(".tox", "torch", "bin", "python"))


@pytest.mark.skipif(not os.path.exists(TORCH), reason="no Python with PyTorch: tox -e torch")
def test_pytorchs_optimizers_are_measured_in_turn_with_the_others(tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["bench", "--case", "large", "--case", "embedding", "--optimizer", "Adam"]
    assert main([*arguments, "--rounds", "1", "--torch", TORCH, "--json", str(out)]) == 0
    results = json.loads(out.read_text())["cases"]
    assert {"torch foreach", "torch fused"} <= set(results["large"][0]["milliseconds"])
    assert "torch fused" not in results["embedding"][0]["milliseconds"]  # it has none for rows
    assert "native : faster of torch's" in capsys.readouterr().out or not HAS_NATIVE


def of_machine(load, lower, upper):
    timing = {"median": 2.0, "lower": lower, "upper": upper}
    record = {"optimizer": "Adam", "milliseconds": {"upstream": timing, "exact": timing}}
    machine = {"cores": 2, "load_before": load}
    peers = ["upstream", "exact"]
    results = {"machine": machine, "peers": peers, "clock": "median"}
    return dict(results, cases={"small": [record]}, extras={})


def test_a_machine_that_is_too_noisy_or_busy_for_ratios_is_said():
    quiet = report.markdown(of_machine(0.1, 1.9, 2.1))
    assert "Measure again" not in quiet
    noisy = report.markdown(of_machine(0.1, 1.5, 2.5))
    assert "too noisy for these ratios: Adam (upstream ± 25%). Measure again" in noisy
    busy = report.markdown(of_machine(3.4, 1.9, 2.1))
    assert busy.startswith("The machine was busy") and "load average 3.4 on 2 cores" in busy


@pytest.mark.parametrize(
    "wrong", [["--case", "huge"], ["--rounds", "0"], ["--optimizer", "Lion"], ["--extra", "luck"]]
)
def test_bad_usage_exits_with_two(wrong, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["bench"] + wrong)
    assert stop.value.code == 2
    assert wrong[1] in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_said_before_measuring(capsys):
    assert main(["bench", "--json", "/not/there/out.json"]) == 2
    assert "there is no folder '/not/there'" in capsys.readouterr().err


def test_the_options_name_all_cases_and_optimizers():
    from keras_optimizers.bench import arguments, cases, peers

    assert tuple(cases.CASES) == arguments.CASES
    assert tuple(peers.OPTIMIZERS) == arguments.OPTIMIZERS
