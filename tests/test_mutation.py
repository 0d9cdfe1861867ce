"""The program that changes the code one place at a time (tests/mutation) sees what it must see."""

import os
import subprocess
import sys

import pytest

from tests.mutation import page, run, selection
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


def test_the_function_of_a_line_is_the_outermost_in_whose_body_it_is():
    source = "\n".join(
        [
            "TABLE = 1",
            "class Rule:",
            "    @cached",
            "    def step(self,",
            "             rate=2):",
            "        def inner():",
            "            return 3",
            "        return inner",
        ]
    )
    found = [selection.function_at(source, line) for line in range(1, 9)]
    # Decorators and defaults run at the import.
    assert found == [None, None, None, None, None, 3, 3, 3]


def test_tests_that_call_the_function_come_first_and_those_that_failed_beside_it_before_them():
    tests = [
        selection.Measured("slow", 9.0, {"/a.py": [10]}),
        selection.Measured("elsewhere", 0.1, {"/a.py": [50], "/b.py": [10]}),
        selection.Measured("fast", 0.1, {"/a.py": [10]}),
    ]
    order = selection.Order("/a.py")
    assert order.added(tests[:2]) == tests[:2] and order.added(tests) == tests[2:]
    assert order.batches(12, 10) == [["fast", "slow"], ["elsewhere"]]
    assert order.batches(12, 10, among=tests[:1]) == [["slow"]]
    assert order.batches(1, None) == [["elsewhere", "fast", "slow"]]
    for _ in range(3):
        order.learn(12, "failed: FAILED slow")
    assert order.batches(12, 10) == [["slow", "fast"], ["elsewhere"]]


def test_a_test_calls_what_its_fixtures_have_called_and_what_an_import_calls(tmp_path):
    (tmp_path / "package.py").write_text(
        "def early(): pass\n\ndef one(): pass\n\ndef two(): pass\n\nearly()\n"
    )
    (tmp_path / "test_package.py").write_text(
        "import pytest\n"
        "@pytest.fixture(scope='module')\n"
        "def shared():\n"
        "    import package\n"
        "    package.one()\n"
        "    return package\n"
        "def test_first(shared): shared.two()\n"
        "def test_second(shared): pass\n"
    )
    code = (
        "import pytest; from tests.mutation import selection;"
        "recorder = selection.Recorder(%r); recorder.start();"
        "pytest.main(['-q', '-p', 'no:cacheprovider', '--rootdir', %r, %r], plugins=[recorder]);"
        "recorder.write(%r)"
    ) % (str(tmp_path / "package"), str(tmp_path), str(tmp_path), str(tmp_path / "tests.json"))
    run_python(code)
    first, second = selection.read(str(tmp_path / "tests.json"))
    module, early, one, two = 1, 1, 3, 5
    assert first.name.endswith("test_first") and second.name.endswith("test_second")
    assert first.functions == {".py": sorted({module, early, one, two})}
    assert second.functions == {".py": sorted({module, early, one})}


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
