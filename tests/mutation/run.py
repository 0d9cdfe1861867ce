"""Change the code one place at a time, and see whether the tests notice: `tox -e mutation`.

    python -m tests.mutation.run sgd nadam           # these modules
    python -m tests.mutation.run sgd --line 61       # the mutants of one line
    python -m tests.mutation.run sgd --write         # and put the counts into docs/mutation.md
    python -m tests.mutation.run --list sgd          # show the mutants, run nothing
    python -m tests.mutation.run sgd --groups 1      # a first look, by the first group of tests

mutmut makes the mutants. It does not run them: it starts a process for each, which here would
spend its time in the import of TensorFlow. This program imports TensorFlow once and forks for each
mutant; the child imports the package, with the mutant in the place of its module, and runs the
module's tests (tests/mutation/modules.py) until one fails, the likely ones first (selection.py).

Left out are mutants that change nothing at run time (type hints), and texts for people.
Results go to .mutation/MODULE.json; survivors that tests/mutation/explained.py explains are
counted apart. Exit status: 1 if a mutant survived that is not explained.
"""

import argparse
import ast
import difflib
import glob
import hashlib
import importlib.abc
import importlib.util
import json
import os
import resource
import signal
import sys
import time
import traceback
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from tests.mutation import page, selection
from tests.mutation.explained import EXPLAINED
from tests.mutation.modules import MODULES, Tests

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESULTS = os.path.join(ROOT, ".mutation")
_HANGS = 3600.0  # seconds


class Mutant(NamedTuple):
    """One change: where it is, the line before and after, and the whole module after."""

    number: int
    line: int
    before: str
    after: str
    source: str


def _package() -> str:
    package = importlib.util.find_spec("keras_optimizers")  # imports nothing
    assert package is not None and package.origin is not None
    return os.path.dirname(package.origin)


PACKAGE = _package()


def path_of(module: str) -> str:
    return os.path.join(PACKAGE, *module.split(".")) + ".py"


class _Meaning(ast.NodeTransformer):
    """Takes out what does not matter at run time, and texts for people: those with a space."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Name("Any", ast.Load())
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        return None if isinstance(node.value, ast.Str) else self.generic_visit(node)

    def visit_Str(self, node: ast.Str) -> ast.AST:
        return ast.Str("") if " " in node.s else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        node.values = [value for value in node.values if not isinstance(value, ast.Str)]
        return self.generic_visit(node)


def meaning(source: str) -> str:
    return ast.dump(_Meaning().visit(ast.parse(source)))


def mutants_of(module: str) -> Iterator[Mutant]:
    """All mutants of a module that mean something else than the module does."""
    import mutmut

    with open(path_of(module), encoding="utf-8") as file:
        source = file.read()
    original, lines = meaning(source), source.split("\n")
    seen = {original}  # type: Set[str]
    number = 0
    for identity in mutmut.list_mutations(mutmut.Context(source=source)):
        changed, count = mutmut.mutate(mutmut.Context(source=source, mutation_id=identity))
        try:
            means = meaning(changed)
        except SyntaxError:
            continue
        if count != 1 or means in seen:
            continue
        seen.add(means)
        number += 1
        yield Mutant(number, *difference(lines, changed.split("\n")), source=changed)


def difference(lines: List[str], changed: List[str]) -> Tuple[int, str, str]:
    """The number of the first line that differs, and what is there before and after."""
    matcher = difflib.SequenceMatcher(None, lines, changed, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind != "equal":
            before, after = lines[start:end], changed[new_start:new_end]
            return start + 1, " ".join(map(str.strip, before)), " ".join(map(str.strip, after))
    raise ValueError("the mutant does not differ")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text."""

    def __init__(self, module: str, source: str) -> None:
        self.name, self.path, self.source = "keras_optimizers." + module, path_of(module), source

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name == self.name:
            return importlib.util.spec_from_file_location(name, self.path, loader=self)
        return None

    def get_source(self, name: str) -> str:
        return self.source

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        exec(compile(self.source, self.path, "exec"), module.__dict__)


def run_tests(tests: List[Tests], finder: Optional[_Finder], log: str, limit: float) -> str:
    """Run these tests in a forked process; see `in_child`."""
    return in_child(lambda: _run(tests), finder, log, limit)


def in_child(work: Callable[[], int], finder: Optional[_Finder], log: str, limit: float) -> str:
    """Run pytest by `work` in a forked process: "passed", "failed: TEST" or "too slow".

    `limit` counts seconds of processor time, so other work on the machine does not matter. A child
    that waits without working ends after an hour.
    """
    child = os.fork()
    if not child:
        status = 99
        try:
            os.setsid()
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
            if finder:
                sys.meta_path.insert(0, finder)
            status = work()
        except BaseException:  # pytest's own, where its plugin imports the mutant
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    end = time.time() + _HANGS
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.time() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "too slow"
        time.sleep(0.02)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in (signal.SIGTERM, signal.SIGINT):
            raise KeyboardInterrupt  # someone ended the run: that says nothing about the mutant
        return "too slow" if number in (signal.SIGKILL, signal.SIGXCPU) else "failed: crashed"
    if status == 0:
        return "passed"
    with open(log, errors="replace") as file:
        failed = [text for text in file if text.startswith(("FAILED", "ERROR"))]
    return "failed: " + (failed[0].split(" - ")[0].strip() if failed else "at its import")


_OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "-rfE"]
# pytest rewrites the modules of an installed plugin: its finder would be asked before the mutant's.
_OPTIONS += ["--assert=plain"]
# The arguments of pyproject.toml ask for a marker alone.
_MARKERS = ["-m", "not slow and not flaky_upstream"]


def _run(tests: List[Tests], plugins: Sequence[Any] = ()) -> int:
    import pytest

    for paths, expression in tests:
        chosen = ["-k", expression] if expression else []
        status = pytest.main([*_OPTIONS, *chosen, *_MARKERS, *paths], plugins=list(plugins))
        if status == pytest.ExitCode.NO_TESTS_COLLECTED:
            print("FAILED no test: %s -k %r" % (" ".join(paths), expression))
        if status:
            return int(status)
    return 0


def _record(missing: Dict[str, Tests]) -> int:
    recorder = selection.Recorder(PACKAGE)
    recorder.start()
    for path, tests in missing.items():
        status = _run([tests], [recorder])
        if status:
            return status
        recorder.write(path)
    return 0


def _run_batches(batches: List[List[str]]) -> int:
    import pytest

    for names in batches:
        paths = sorted({name.partition("::")[0] for name in names})
        arguments = [*_OPTIONS, *_MARKERS, *paths]
        status = pytest.main(arguments, plugins=[selection.Chosen(names)])
        if status:
            return int(status)
    return 0


def import_once() -> None:
    """What all children need and no mutant changes."""
    import h5py  # noqa: F401
    import hypothesis
    import pytest  # noqa: F401
    import tensorflow as tf

    tf.keras.backend.learning_phase  # noqa: B018 (imports the lazy parts; makes no session)
    import tensorflow.python.keras.optimizers  # noqa: F401

    # The first failure is enough, no smaller example is wanted (tests/conftest.py loads this).
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    settings = hypothesis.settings(derandomize=True, phases=phases, deadline=None)
    hypothesis.settings.register_profile("mutation", settings)
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    if any(name.startswith("keras_optimizers") for name in sys.modules):
        raise RuntimeError("the package is imported already, so no mutant would be seen")


def measured_tests(tests: Tests, log: str) -> List[selection.Measured]:
    """What these tests call and how long they take; they run where something has changed since."""
    paths, expression = tests
    package = _hash(PACKAGE)
    known, missing = [], {}
    for path in paths:
        state = hashlib.sha1((package + _hash(path) + expression).encode()).hexdigest()
        name = "%s.%s.tests.json" % (path.replace("/", "-"), state[:12])
        known.append(os.path.join(RESULTS, name))
        if not os.path.exists(known[-1]):
            missing[known[-1]] = ([path], expression)
    outcome = in_child(lambda: _record(missing), None, log, _HANGS)
    if outcome != "passed":
        raise RuntimeError("unchanged, the tests %s: %s (see %s)" % (paths, outcome, log))
    return [test for path in known for test in selection.read(path)]


def _hash(path: str) -> str:
    """Of a Python file, or of those in a folder."""
    content = hashlib.sha1()
    for name in sorted(glob.glob(os.path.join(path, "**", "*.py"), recursive=True)) or [path]:
        with open(name, "rb") as file:
            content.update(file.read())
    return content.hexdigest()


def measure(module: str, line: Optional[int], again: bool, groups: int) -> Dict[str, Any]:
    """Run all mutants of a module; what .mutation/MODULE.json holds is not run again.

    `groups` is how many groups of the module's tests may run. The later ones are measured only
    where a mutant has survived those before.
    """
    os.makedirs(RESULTS, exist_ok=True)
    results_path = os.path.join(RESULTS, module + ".json")
    log = os.path.join(RESULTS, module + ".log")
    known = {}  # type: Dict[str, str]
    if os.path.exists(results_path) and not again:
        with open(results_path) as file:
            known = json.load(file)
    explained = [(before, after) for before, after, _ in EXPLAINED.get(module, ())]
    outcomes, to_run = {}, []  # type: Dict[str, str], List[Tuple[str, Mutant]]
    for mutant in mutants_of(module):
        if line and mutant.line != line:
            continue
        key = "%s -> %s" % (mutant.before, mutant.after)
        while key in outcomes:  # the same line stands in the module more than once
            key += " (again)"
        if (mutant.before, mutant.after) in explained:
            outcomes[key] = "explained"
            continue
        outcomes[key] = known.get(key, "")
        if not outcomes[key].startswith("failed"):
            to_run.append((key, mutant))
    if not to_run:
        return outcomes
    order = selection.Order(path_of(module)[len(PACKAGE) :])
    not_measured = MODULES[module][:groups]
    with open(path_of(module), encoding="utf-8") as source_file:
        source = source_file.read()
    for key, mutant in to_run:
        place = (mutant.line, selection.function_at(source, mutant.line))
        finder, outcome = _Finder(module, mutant.source), "passed"
        batches = order.batches(*place)
        while outcome == "passed" and (batches or not_measured):
            if not batches:
                new = order.added(measured_tests(not_measured.pop(0), log))
                batches = order.batches(*place, among=new)
            limit = 30 + 5 * sum(test.seconds for test in order.tests)
            outcome = in_child(lambda: _run_batches(batches), finder, log, limit)  # noqa: B023
            batches = []
        outcomes[key] = known[key] = outcome
        with open(results_path, "w") as file:
            json.dump(known, file, indent=1)
        order.learn(mutant.line, outcome)
        print("%d: %s: %s: %s" % (mutant.number, mutant.line, key, outcome), flush=True)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--list", action="store_true", help="show the mutants, run nothing")
    parser.add_argument("--line", type=int, help="the mutants of one line alone")
    parser.add_argument("--again", action="store_true", help="also those that failed before")
    parser.add_argument("--write", action="store_true", help="put the counts into docs/mutation.md")
    parser.add_argument(
        "--groups", type=int, default=99, help="only so many groups of each module's tests"
    )
    options = parser.parse_args()
    modules = options.modules or list(MODULES)
    for module in modules:
        if module not in MODULES:
            parser.error("no module %r: choose from %s" % (module, ", ".join(MODULES)))
    os.chdir(ROOT)
    if options.list:
        for module in modules:
            for mutant in mutants_of(module):
                print("%s:%d: %s -> %s" % (module, mutant.line, mutant.before, mutant.after))
        return 0
    import_once()
    found = {}
    for module in modules:
        outcomes = list(measure(module, options.line, options.again, options.groups).values())
        counts = {
            "killed": sum(outcome.startswith("failed") for outcome in outcomes),
            "too slow": outcomes.count("too slow"),
            "explained": outcomes.count("explained"),
            "survived": outcomes.count("passed"),
        }
        found[module] = counts
        shown = ", ".join("%d %s" % (count, name) for name, count in counts.items())
        print("%s: %d mutants: %s" % (module, len(outcomes), shown), flush=True)
    if options.write:
        text = page.written(page.read(), found, list(MODULES))
        with open(page.PAGE, "w", encoding="utf-8") as file:
            file.write(text)
    return 1 if any(counts["survived"] for counts in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
