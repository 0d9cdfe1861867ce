"""The pages about adding something: their code is put into a copy of the package, and used."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

import keras_optimizers
from tests.pages import ROOT, blocks_of, prepare, read

PLACE = re.compile(r"# (\S+\.py)(?:, (before|after): (.*))?$")


class Copy:
    """A copy of the package, and a folder to run commands in."""

    def __init__(self, folder):
        self.root, self.work = folder / "package", folder / "work"
        ignored = shutil.ignore_patterns("__pycache__")
        source = os.path.dirname(keras_optimizers.__file__)  # an installed wheel has no ROOT
        shutil.copytree(source, str(self.root / "keras_optimizers"), ignore=ignored)
        self.work.mkdir()
        prepare(self.work)
        (self.root / "tests").mkdir()
        for name in ("__init__.py", "conftest.py", "test_docstring_examples.py"):
            shutil.copy(os.path.join(ROOT, "tests", name), str(self.root / "tests"))
        used = os.path.join("tests", "tensorflow_2")  # by conftest.py
        shutil.copytree(os.path.join(ROOT, used), str(self.root / used), ignore=ignored)

    def put(self, code):
        """Do what a block of code says in its first line."""
        first, _, rest = code.partition("\n")
        path, where, anchor = PLACE.match(first).groups()
        target = self.root / path
        if where is None:
            assert not target.exists(), path
            target.write_text(rest)
            return
        lines = target.read_text().split("\n")
        (found,) = [n for n, line in enumerate(lines) if line.strip() == anchor]
        index = found if where == "before" else found + 1
        target.write_text("\n".join([*lines[:index], rest.rstrip("\n"), *lines[index:]]))

    def run(self, command):
        """Exit status and output of a command of the copy."""
        words = shlex.split(command, comments=True)
        name, folder = {
            "keras-optimizers": ("keras_optimizers", self.work),
            "ci/test": ("pytest", self.root),
        }[words[0]]
        path = os.pathsep.join([str(self.root)] + [entry for entry in sys.path[1:] if entry])
        done = subprocess.run(
            [sys.executable, "-m", name, *words[1:]],
            cwd=str(folder),
            env=dict(os.environ, PYTHONPATH=path, TF_CPP_MIN_LOG_LEVEL="2"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout.decode()


def section(page, heading):
    """The blocks of the part of a page under a heading of the second level."""
    text = read(page)
    start = text.index("## %s\n" % heading)
    end = text.find("\n## ", start)
    lines = range(text.count("\n", 0, start), text.count("\n", 0, end if end > 0 else len(text)))
    return [block for block in blocks_of(page) if block.line in lines]


def followed(page):
    """The blocks of all sections of a page that are followed."""
    return [block for heading in FOLLOWED.get(page, ()) for block in section(page, heading)]


def follow(copy, blocks):
    """Put the code in, run the commands; their output."""
    output = []
    for block in blocks:
        if block.language == "python":
            copy.put(block.text)
        elif block.language == "sh":
            for line in block.text.strip().split("\n"):
                status, printed = copy.run(line)
                assert status == 0, line + "\n" + printed
                output.append(printed)
    return output


OPTIMIZER = "docs/add-an-optimizer.md"
ERA_OR_FORMAT = "docs/add-an-era-or-a-format.md"
# The sections that are followed, by page.
FOLLOWED = {
    OPTIMIZER: ("The file", "The line", "The test"),
    ERA_OR_FORMAT: ("Add a format", "Add an era"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "heading, title", [("Add a format", "NumPy"), ("Add an era", "Acme's fork of Keras 2.2")]
)
def test_an_era_and_a_format_are_added_as_the_page_says(heading, title, tmp_path):
    copy = Copy(tmp_path)
    output = follow(copy, section(ERA_OR_FORMAT, heading))
    assert any(title in printed for printed in output), output


@pytest.mark.slow
def test_an_optimizer_is_added_as_the_page_says(tmp_path):
    (output,) = follow(Copy(tmp_path), followed(OPTIMIZER))
    assert re.search(r"\b3 passed", output)
