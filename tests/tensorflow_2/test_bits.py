"""The table of the bits on each TensorFlow, and the command that makes it."""

import re
from types import SimpleNamespace

import numpy as np

from tests.eras import environments
from tests.pages import read
from tests.tensorflow_2 import bits
from tests.training import CLASS_NAMES


def rows_of_the_page():
    table = re.search("<!-- bits -->\n(.*)<!-- /bits -->", read("docs/hosts/tensorflow-2.md"), re.S)
    lines = table.group(1).strip().split("\n")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_has_every_optimizer_and_every_release_that_the_command_measures():
    header, _, *rows = rows_of_the_page()
    packages = [environments.ENVIRONMENTS[name][1][0] for name in bits.COLUMNS]
    assert header[1:] == [package.partition("==")[2] for package in packages]
    assert [row[0] for row in rows[:-1]] == CLASS_NAMES


def test_on_every_release_all_cases_are_equal_to_its_own_old_classes():
    last = rows_of_the_page()[-1]
    assert len(last) == len(bits.COLUMNS) + 1
    for cell in last[1:]:
        equal, total = cell.split(" of ")
        assert equal == total and int(total) > 50


def test_one_changed_bit_counts_as_a_unit_in_the_last_place():
    values = np.array([[1.0, 0.5], [1.5, 0.25]], "float32")
    changed = values.copy()
    changed[1, 0] = np.nextafter(changed[1, 0], np.float32(2))
    expected, actual = (SimpleNamespace(arrays={"parameter 0": one}) for one in (values, changed))
    assert bits.distance(expected, expected) == 0
    assert bits.distance(expected, actual) == 1
    assert bits.cell([0, 0]) == "equal" and bits.cell([0, 1]) == "1 of 2 equal, else 1 ulp"
