"""What is restored after `kill -9` is a state that was saved; see kills.py."""

import pytest

from tests.reliability import kills


@pytest.mark.parametrize(
    "kind",
    [
        "saver",
        pytest.param("fit", marks=pytest.mark.reliability),
        pytest.param("estimator", marks=pytest.mark.reliability),
        pytest.param("parameter_server", marks=pytest.mark.reliability),
    ],
)
def test_a_killed_run_goes_on_from_a_state_that_was_saved(kind, tmp_path):
    assert kills.wrong_states(kind, kills=1, seed=3, folder=str(tmp_path)) == ([], 1)


def test_a_state_that_was_not_saved_is_noticed(tmp_path):
    """The check itself: it compares two lists that a training run keeps."""
    for name, lines in [("saved", "a 1\nb 2\n"), ("restored", "a 1\nc 2\n")]:
        (tmp_path / name).write_text(lines)
    assert kills.judged(str(tmp_path)) == ([("c", "2")], 2)
    (tmp_path / "restored").write_text("b 2\na 1\n")
    assert kills.judged(str(tmp_path)) == ([("went back to", 1)], 2)
