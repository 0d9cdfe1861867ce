"""Which tests run for a mutant, and in which order.

Before the mutants, all tests run once. That shows how long each takes, and which functions of the
package it calls. For a mutant the likely tests run first: those that call its function, and among
them those that failed for mutants beside it in little time.
"""

import ast
import collections
import contextlib
import json
import sys
import threading
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

import pytest

FIRST = 10  # that many tests are tried before the others are collected

# A file of the package, and the first line of a function in it.
Function = Tuple[str, int]


class Measured(NamedTuple):
    """One test, its time, and by file the first lines of the package's functions that it calls."""

    name: str
    seconds: float
    functions: Dict[str, List[int]]


class Recorder:
    """A plugin of pytest that measures each test; `folder` is that of the package."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.tests = {}  # type: Dict[str, Tuple[float, Set[Function]]]
        self.at_import = set()  # type: Set[Function]
        self._now = self.at_import
        self._of_fixtures = {}  # type: Dict[int, Set[Function]]

    def start(self) -> None:
        """From here on the functions that are called are noted."""
        sys.settrace(self._called)
        threading.settrace(self._called)

    def _called(self, frame: Any, event: str, argument: Any) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(self.folder):
            return
        function = (code.co_filename, code.co_firstlineno)
        if function not in self._now:
            self._now.add(function)
            if _in_an_import(frame):
                self.at_import.add(function)

    @contextlib.contextmanager
    def _noted(self, functions: Set[Function]) -> Iterator[None]:
        before, self._now = self._now, functions
        yield
        self._now = before

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        functions = set()  # type: Set[Function]
        begin = time.process_time()
        with self._noted(functions):
            yield
        seconds = time.process_time() - begin
        # What a fixture has called is used by all of its tests, not by the first one alone.
        for fixtures in item._fixtureinfo.name2fixturedefs.values():
            for fixture in fixtures:
                functions |= self._of_fixtures.get(id(fixture), set())
        self.tests[item.nodeid] = seconds, functions

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        if fixturedef.scope == "function":
            yield
        else:
            with self._noted(self._of_fixtures.setdefault(id(fixturedef), set())):
                yield

    def write(self, path: str) -> None:
        """Write what was measured since the last time."""
        measured = []
        for name, (seconds, functions) in self.tests.items():
            by_file = collections.defaultdict(list)  # type: Dict[str, List[int]]
            for file_name, line in sorted(functions | self.at_import):
                by_file[file_name[len(self.folder) :]].append(line)
            measured.append(Measured(name, seconds, by_file))
        with open(path, "w") as file:
            json.dump(measured, file)
        self.tests = {}


def _in_an_import(frame: Any) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


class Chosen:
    """A plugin of pytest that runs these tests alone, in this order."""

    def __init__(self, names: List[str]) -> None:
        self.place = {name: number for number, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: List[Any]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.place),
            key=lambda item: self.place[item.nodeid],
        )


def read(path: str) -> List[Measured]:
    with open(path) as file:
        return [Measured(*one) for one in json.load(file)]


def function_at(source: str, line: int) -> Optional[int]:
    """The first line of the function that runs `line`; None where an import runs it."""
    found = None
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        parts = [one for part in node.body for one in ast.walk(part)]
        last = max(one.lineno for one in parts if hasattr(one, "lineno"))
        if max(node.body[0].lineno, node.lineno + 1) <= line <= last:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            # A function within a function: what calls the outer one may call it later.
            found = first if found is None else min(found, first)
    return found


class Order:
    """The tests of one module, which learns from each mutant that was killed.

    `file_name` is the module's, from the package's folder on.
    """

    def __init__(self, file_name: str) -> None:
        self.tests = []  # type: List[Measured]
        self.file_name = file_name
        self._kills = collections.defaultdict(list)  # type: Dict[str, List[int]]

    def added(self, tests: List[Measured]) -> List[Measured]:
        """Take these tests too; those of them that are new."""
        names = {test.name for test in self.tests}
        new = [test for test in tests if test.name not in names]
        self.tests += new
        return new

    def learn(self, line: int, outcome: str) -> None:
        """`outcome` is "failed: FAILED TEST" for a mutant of this line."""
        self._kills[outcome.rpartition("FAILED ")[2]].append(line)

    def batches(
        self, line: int, function: Optional[int], among: Optional[List[Measured]] = None
    ) -> List[List[str]]:
        """A few tests that are likely to fail, others that call the function, all others."""

        def worth(test: Measured) -> float:
            kills = sum(1 / (1 + abs(line - other)) for other in self._kills.get(test.name, ()))
            return (kills + 0.02) / (test.seconds + 0.05)

        calling, others = [], []
        for test in sorted(self.tests if among is None else among, key=worth, reverse=True):
            calls = function is None or function in test.functions.get(self.file_name, ())
            (calling if calls else others).append(test.name)
        return [names for names in (calling[:FIRST], calling[FIRST:], others) if names]
