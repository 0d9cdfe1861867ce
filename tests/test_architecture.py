"""The import rules of docs/architecture.md hold: the test reads them from the page's tables."""

import ast
import os
import re
from typing import Dict, Iterator, List, NamedTuple, Set, Tuple

import pytest

import keras_optimizers
from keras_optimizers import catalog

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = "keras_optimizers"
# Not in ROOT when the tests of the sdist run with the wheel installed.
FOLDER = os.path.dirname(os.path.abspath(keras_optimizers.__file__))
PAGE = os.path.join(ROOT, "docs", "architecture.md")


class Import(NamedTuple):
    """An import of `imported` in `importer`; `late` if it is inside a function."""

    importer: str
    imported: str
    late: bool


def modules() -> Dict[str, str]:
    """Paths of all modules, by name without the package's."""
    found = {}
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                dotted = os.path.relpath(path, FOLDER)[:-3]
                dotted = dotted.replace(os.sep, ".")
                found[re.sub(r"(^|\.)__init__$", "", dotted)] = path
    return found


MODULES = modules()


def package_of(importer: str, level: int) -> str:
    """The package that a relative import with so many dots begins at; none for an absolute one."""
    if not level:
        return ""
    parts = [PACKAGE, *importer.split(".")]
    is_package = MODULES[importer].endswith("__init__.py")
    return ".".join(parts[: len(parts) - level + is_package])


def imports_in(importer: str, text: str) -> Iterator[Import]:
    """All imports in a module's text but those that only type checkers make.

    Modules of the package are named without it; the package itself is the empty string.
    """

    def walk(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        late = late or isinstance(node, (ast.FunctionDef, ast.Lambda))
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, late)
        if isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, [package_of(importer, node.level), node.module]))
            for alias in node.names:
                whole = "%s.%s" % (module, alias.name)
                is_module = whole.partition(".")[2] in MODULES and whole.startswith(PACKAGE)
                yield Import(importer, whole if is_module else module, late)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, late)

    for found in walk(ast.parse(text), False):
        package, _, rest = found.imported.partition(".")
        yield found._replace(imported=rest) if package == PACKAGE else found


def all_imports() -> List[Import]:
    found = []
    for name, path in MODULES.items():
        with open(path, encoding="utf-8") as opened:
            found += imports_in(name, opened.read())
    return found


IMPORTS = all_imports()
OURS = [found for found in IMPORTS if found.imported in MODULES]


def table(heading: str) -> List[List[str]]:
    """The rows of the table under a heading of the page, as cells."""
    with open(PAGE, encoding="utf-8") as opened:
        text = opened.read().partition("## %s\n" % heading)[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.split("\n") if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if not row[0].startswith(" ---")][1:]


def names_in(cell: str) -> List[str]:
    """What a cell has in code style."""
    return re.findall(r"`([^`]+)`", cell)


class Room(NamedTuple):
    modules: Tuple[str, ...]
    may_import: Tuple[str, ...]


def modules_in(cell: str) -> Tuple[str, ...]:
    """The modules that a cell names."""
    found: List[str] = []
    for name in names_in(cell):
        found += catalog.OPTIMIZERS.values() if name == "catalog.OPTIMIZERS" else [name]
    return tuple(found)


ROOMS = {row[0]: Room(modules_in(row[1]), tuple(row[3].split(", "))) for row in table("Rooms")}


def room_of(module: str) -> str:
    """The room that names the module, or the nearest package with a star that it is in."""
    name = module or "__init__"
    found = {}
    for room, one in ROOMS.items():
        for named in one.modules:
            package = named[: -len(".*")] if named.endswith(".*") else None
            if name in (named, package) or (package and name.startswith(package + ".")):
                found[named] = room
    assert found, "%s is in no room of docs/architecture.md" % name
    return found[max(found, key=len)]


def circles(edges: Set[Tuple[str, str]]) -> List[List[str]]:
    """The circles in a graph: paths that come back to where they began, one for each found."""
    after: Dict[str, List[str]] = {}
    for one, other in sorted(edges):
        after.setdefault(one, []).append(other)
    found, done = [], set()

    def visit(name: str, path: List[str]) -> None:
        if name in path:
            found.append(path[path.index(name) :] + [name])
        elif name not in done:
            for other in after.get(name, []):
                visit(other, path + [name])
            done.add(name)

    for name in sorted(after):
        visit(name, [])
    return found


def test_every_module_is_in_one_room():
    for module in MODULES:
        assert room_of(module) in ROOMS
    named = [name for room in ROOMS.values() for name in room.modules]
    assert len(named) == len(set(named))
    there = set(MODULES) | {name + ".*" for name in MODULES} | {"__init__"}
    assert set(named) - there == set(), "the page names modules that are not there"


def test_rooms_import_only_what_the_page_allows():
    forbidden = [
        "%s (%s) imports %s (%s)" % (one.importer, room, one.imported or PACKAGE, other)
        for one in OURS
        for room, other in [(room_of(one.importer), room_of(one.imported))]
        if room != other and other not in ROOMS[room].may_import
    ]
    assert forbidden == []


def test_no_module_imports_itself_in_a_circle():
    """Imports inside functions count: they hide a circle, and do not open it."""
    assert circles({(one.importer, one.imported) for one in OURS}) == []


def test_the_rooms_of_the_page_form_no_circle():
    edges = {(name, other) for name, room in ROOMS.items() for other in room.may_import}
    assert {other for _, other in edges} <= set(ROOMS) | {"-"}
    assert circles(edges) == []


def test_numpy_rules_import_nothing_of_the_package():
    assert [one for one in OURS if one.importer == "numpy_rules"] == []


def is_tensorflow(name: str) -> bool:
    return name.split(".")[0] in ("tensorflow", "keras", "horovod")


def needs_tensorflow() -> Set[str]:
    """Modules that import TensorFlow when they are imported, themselves or through others."""
    found = {one.importer for one in IMPORTS if is_tensorflow(one.imported) and not one.late}
    while True:
        more = {one.importer for one in OURS if one.imported in found and not one.late} - found
        if not more:
            return found
        found |= more


WITHOUT_TENSORFLOW = [names_in(row[0])[0] for row in table("What works without TensorFlow")]


@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_what_works_without_tensorflow_does_not_import_it(name):
    own = {module for module in MODULES if module == name or module.startswith(name + ".")}
    own |= {""} if name == "__init__" else set()
    assert own
    assert own & needs_tensorflow() == set()


def test_late_imports_of_tensorflow_are_where_the_page_says():
    """In rooms that work without TensorFlow, functions import it in the named modules alone."""
    needing, late = needs_tensorflow(), set()
    for one in IMPORTS:
        wants = is_tensorflow(one.imported) or one.imported in needing
        if one.late and wants and one.importer not in needing:
            late.add(one.importer or "__init__")
    named = [name for row in table("What works without TensorFlow") for name in names_in(row[1])]
    assert sorted(late) == sorted(named)


def test_a_circle_and_an_import_inside_a_function_are_seen():
    text = "import a\ndef f():\n    from keras_optimizers.checkpoint import state\n"
    assert list(imports_in("x", text)) == [
        Import("x", "a", False),
        Import("x", "checkpoint.state", True),
    ]
    assert circles({("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")}) == [["a", "b", "c", "a"]]
    assert circles({("a", "b"), ("a", "c"), ("b", "c")}) == []
