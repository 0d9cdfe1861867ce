"""The examples of docs/hosts run as they stand, each in an empty folder."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "docs", "hosts")
PAGES = sorted(name for name in os.listdir(FOLDER) if name.endswith(".md"))
# Their examples are processes that talk to each other: tests of their own run them.
SCRIPTS = {
    "horovod.md": ("horovod_digits.py", "test_horovod.py"),
    "parameter-servers.md": ("parameter_servers.py", "test_parameter_servers.py"),
}


def text_of(page):
    with open(os.path.join(FOLDER, page)) as opened:
        return opened.read()


def example_of(page):
    """The block under "A complete example"."""
    after = text_of(page).partition("## A complete example")[2]
    return re.search(r"```python\n(.*?)```", after, re.DOTALL).group(1)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page not in SCRIPTS])
def test_the_complete_example_of_a_page_learns(page, tmp_path):
    if "import keras\n" in example_of(page) and importlib.util.find_spec("keras") is None:
        pytest.skip("standalone Keras is not installed: tox -e keras225,keras231")
    script = tmp_path / "example.py"
    script.write_text(example_of(page))
    path = os.pathsep.join([ROOT] + sys.path[1:])
    environment = dict(os.environ, PYTHONPATH=path, TF_CPP_MIN_LOG_LEVEL="2")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=str(tmp_path),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    accuracy = re.search(r"accuracy ([0-9.]+)", done.stdout.decode())
    assert float(accuracy.group(1)) > 0.85, done.stdout.decode()


@pytest.mark.parametrize("page", sorted(SCRIPTS))
def test_the_script_of_a_page_is_there_and_a_test_runs_it(page):
    script, test = SCRIPTS[page]
    assert script in text_of(page)
    with open(os.path.join(ROOT, "tests", test)) as opened:
        assert script in opened.read()
    assert os.path.exists(os.path.join(ROOT, "examples", script))
