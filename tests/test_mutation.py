"""The program that changes the code one place at a time (tests/mutation) sees what it must see."""

import os
import subprocess
import sys

import pytest

from tests.mutation import page, run
from tests.mutation.explained import EXPLAINED
from tests.mutation.modules import MODULES

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 7), reason="is run on Python 3.7 alone (see tox.ini)"
)

# A module whose mutant is known to make its test fail.
MODULE, TESTS = "catalog", [(["tests/test_imports.py"], "")]


@pytest.mark.slow
def test_a_mutant_is_what_the_tests_import_and_the_module_is_left_alone(tmp_path):
    log, source = str(tmp_path / "log"), "raise ImportError('this is the mutant')\n"
    code = (
        "from tests.mutation import run; run.import_once();"
        "print([run.run_tests(%r, finder, %r, 600) for finder in (None, run._Finder(%r, %r))])"
    ) % (TESTS, log, MODULE, source)
    out = run_python(code)
    assert out.startswith("['passed', 'failed: ")
    with open(log) as file:
        assert "this is the mutant" in file.read()


@pytest.mark.slow
def test_a_mutant_that_never_ends_is_too_slow(tmp_path):
    code = (
        "from tests.mutation import run; run.import_once();"
        "print(run.run_tests(%r, run._Finder(%r, 'while True: pass'), %r, 3))"
    ) % (TESTS, MODULE, str(tmp_path / "log"))
    assert run_python(code) == "too slow"


def run_python(code):
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, cwd=page.ROOT, stdout=subprocess.PIPE).stdout.decode().strip()


def test_type_hints_and_texts_mean_nothing_and_numbers_do():
    source = (
        'def f(a: int) -> int:\n    """Text."""\n    raise ValueError(f"is {a}: too small") or 1\n'
    )
    assert run.meaning(source) == run.meaning(source.replace("int", "str").replace("Text", "T"))
    assert run.meaning(source) == run.meaning(source.replace("too small", "too large"))
    assert run.meaning(source) != run.meaning(source.replace("1", "2"))
    assert run.meaning("x = 'role'") != run.meaning("x = 'another'")


@pytest.mark.parametrize("module", MODULES)
def test_the_modules_and_their_tests_are_there(module):
    assert os.path.isfile(run.path_of(module))
    for paths, _ in MODULES[module]:
        assert all(os.path.exists(os.path.join(page.ROOT, path)) for path in paths)


@pytest.mark.parametrize("module", EXPLAINED)
def test_every_explained_line_is_still_in_its_module(module):
    with open(run.path_of(module), encoding="utf-8") as file:
        lines = {line.strip() for line in file}
    assert [before for before, _, _ in EXPLAINED[module] if before not in lines] == []


def test_the_page_has_the_explanations_and_no_unexplained_survivor():
    text = page.read()
    assert text == page.written(text, {}, list(MODULES))
    rows = page.rows_of(text)
    assert {module for module, (*_, survived) in rows.items() if survived} == set()
    for module, row in rows.items():  # a reason may be that of several lines of the same text
        reasons = len(EXPLAINED.get(module, ()))
        assert row[3] >= reasons and bool(row[3]) == bool(reasons), module
