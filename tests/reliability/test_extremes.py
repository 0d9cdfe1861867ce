"""Numbers and arguments at the edge; see extremes.py, which has all cases."""

import numpy as np
import pytest

from tests.reliability import extremes
from tests.reliability.determinism import native_op_is_there
from tests.training import CLASS_NAMES


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_without_epsilon_every_edge_gives_upstreams_bits(class_name):
    name = "clipvalue=0" if class_name == "SGD" else "epsilon=0"
    assert extremes.against_upstream(class_name, name, "float32") == []


@pytest.mark.parametrize(
    "check, class_name, name, dtype",
    [
        ("upstream", "Adam", "clipnorm=0", "float16"),
        ("NumPy", "Nadam", "defaults", "float16"),
        ("NumPy", "RMSprop", "lr=0", "float32"),
        ("NumPy", "SGD", "global_clipnorm=0", "float64"),
        ("fused, NumPy", "Adam", "configured", "float32"),
        ("fused, NumPy", "Nadam", "clipvalue=0", "float16"),
        ("fused, NumPy", "Nadam", "epsilon=0", "float16"),
        # A step that takes nearly all away:
        ("fused, NumPy", "SGD", "clipnorm=1", "float64"),
        ("lookups, dense", "Adamax", "clipvalue=1e30", "float32"),
        # 0 / 0 in the rows that no batch has touched:
        ("lookups, dense", "RMSprop", "epsilon=0", "float32"),
        ("lookups, dense", "Adagrad", "epsilon=0", "float64"),
        ("lookups, dense", "Adadelta", "epsilon=0", "float16"),
        ("native lookups, dense", "RMSprop", "epsilon=0", "float32"),
        ("native, default", "Nadam", "epsilon=0", "float32"),
    ],
)
def test_edges_are_treated_alike(check, class_name, name, dtype):
    if check.startswith("native") and not native_op_is_there():
        pytest.skip("the native op cannot be had here")
    assert extremes.CHECKS[check](class_name, name, dtype) == []


def test_another_value_or_another_nan_is_noticed():
    one = np.float32([1, np.nan, -0.0])
    assert extremes.same(one, one.copy())
    for place, value in ((0, np.nextafter(one[0], np.float32(2))), (1, 0), (2, 0.0), (0, np.nan)):
        other = one.copy()
        other[place] = value
        assert not extremes.same(one, other)


def test_rates_that_are_infinite_are_compared_but_for_lookups():
    chosen = set(extremes.cases())
    for name in ("lr=1e30", "decay=1e30"):
        assert ("native, default", "Adam", name, "float16") in chosen
        assert ("lookups, dense", "Adam", name, "float32") in chosen
        assert ("lookups, dense", "Adam", name, "float16") not in chosen
    assert ("lookups, dense", "Adam", "clipvalue=1e30", "float16") in chosen
