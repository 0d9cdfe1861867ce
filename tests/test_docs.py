"""The code blocks of README, CONTRIBUTING and docs: each one runs, or says below why not."""

import argparse
import ast
import configparser
import itertools
import os
import re
import shlex
import subprocess
import sys
from typing import Dict, List

import pytest

import keras_optimizers
from keras_optimizers import cli
from keras_optimizers.tensorflow_private import RELEASE
from tests import test_extending
from tests.hosts.installed import HAS_ESTIMATORS, has_keras_2
from tests.pages import PAGES, ROOT, Block, blocks_of, prepare, read

HAS_KERAS = has_keras_2()

# Pages that tests of their own follow step by step.
FOLLOWED = test_extending.FOLLOWED
# Python blocks that do not run here, by page and first line: the test that runs the same.
ELSEWHERE = {
    ("docs/hosts/horovod.md", "import os"): "test_horovod.test_the_script_of_the_page_runs",
    (
        "docs/hosts/horovod.md",
        "optimizer = hvd.DistributedOptimizer(keras_optimizers.SGD(lr=0.1))",
    ): "test_horovod.test_the_average_is_clipped_by_replacing_get_gradients",
    (
        "docs/hosts/horovod.md",
        "optimizer = hvd.DistributedOptimizer(",
    ): "test_horovod.test_aggregated_gradients_make_the_steps_of_larger_batches",
    (
        "docs/hosts/horovod.md",
        "model._make_train_function()  # private, but no other call makes the slots before a batch",
    ): "test_horovod.test_a_file_that_rank_0_alone_has_is_enough",
    (
        "docs/hosts/horovod.md",
        "def adam(**config):",
    ): "test_horovod.test_options_come_back_by_a_custom_object",
    (
        "docs/hosts/horovod.md",
        'model.save("incomplete.h5")',
    ): "test_horovod.test_two_new_processes_go_on_exactly_from_rank_0s_file",
    ("docs/conformance.md", "import keras"): "conformance/from_pypi.main",
}
# Shell commands that no test runs, with the reason.
NOT_RUN = {
    ". .tox/horovod/bin/activate": "needs Horovod, which ci/horovod compiles",
    "horovodrun": "needs Horovod; tests/test_horovod.py runs the example in two processes",
    "export": "is the shell's own; tests/conftest.py sets the variable where tf_keras is there",
    "git": "changes the checkout",
    "pre-commit": "is not among the packages of the tests",
    "python -m pip": "installs packages; every environment of tox installs this one",
    "ci/release": "needs Python 3.11, and builds the last commit; takes twenty minutes",
    "twine": "uploads",
    "keras-optimizers build": "needs a C++ compiler; tests/test_native_library.py runs it",
    "keras-optimizers bench": "takes minutes; tests/test_bench.py runs the same command on less",
}
# What a page's Python blocks need that the page does not show, by page and number of the block.
SETUP = {
    ("docs/migration.md", 0): """
import numpy as np
import tensorflow as tf
import keras_optimizers
keras_optimizers.install()
model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(4,))])
model.compile("adam", "mse")
model.train_on_batch(np.ones((32, 4)), np.ones((32, 1)))
""",
    ("docs/hosts/parameter-servers.md", 0): """
import socket, tempfile
import numpy as np
import tensorflow.compat.v1 as tf
import keras_optimizers
listening = [socket.socket() for _ in range(2)]
for one in listening:
    one.bind(("localhost", 0))
ps, worker_address = ["localhost:%d" % one.getsockname()[1] for one in listening]
for one in listening:
    one.close()
cluster = tf.train.ClusterSpec({"ps": [ps], "worker": [worker_address]})
parameter_server = tf.train.Server(cluster, "ps", 0)
server = tf.train.Server(cluster, "worker", 0)
worker, is_chief, folder = "/job:worker/task:0", True, tempfile.mkdtemp()
inputs = tf.placeholder(tf.float32, (None, 4))
feed = {inputs: np.ones((8, 4))}
def build_loss():
    return tf.reduce_mean(tf.square(tf.layers.dense(inputs, 1) - 1.0))
""",
    ("docs/hosts/parameter-servers.md", 1): """
tf.reset_default_graph()
inputs = tf.placeholder(tf.float32, (None, 4))
loss, global_step = build_loss(), tf.train.get_or_create_global_step()
""",
}


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
EXAMPLE_HEADING = "## A complete example"


def example_of(page: str) -> str:
    """The block under "A complete example"."""
    after = read(page).partition(EXAMPLE_HEADING)[2]
    return re.search(r"```python\n(.*?)```", after, re.DOTALL).group(1)


EXAMPLES = [page for page in PAGES if EXAMPLE_HEADING in read(page)]


def python_of(page: str) -> List[Block]:
    """The blocks of Python that are to run one after the other."""
    found = [block for block in BLOCKS if block.page == page and block.language == "python"]
    if page in EXAMPLES:
        found = [block for block in found if block.text != example_of(page)]
    return found


def is_elsewhere(block: Block) -> bool:
    return (block.page, block.text.split("\n")[0]) in ELSEWHERE


def commands_of(page: str) -> Dict[str, int]:
    """Line numbers by shell command, but of followed sections; comments are taken off."""
    commands = {}
    followed = [
        block
        for heading in FOLLOWED.get(page, ())
        for block in test_extending.section(page, heading)
    ]
    for block in BLOCKS:
        if block.page == page and block.language == "sh" and block not in followed:
            for number, line in enumerate(block.text.split("\n")):
                words = shlex.split(line, comments=True)
                if words:
                    commands.setdefault(" ".join(map(shlex.quote, words)), block.line + number)
    return commands


def run_python(code: str, folder: object, *arguments: str) -> str:
    """What a program prints that runs in an empty folder; on TensorFlow 2 as on TensorFlow 1."""
    path = os.path.join(str(folder), "example.py")
    with open(path, "w", encoding="utf-8") as opened:
        opened.write(code)
    adapted = ["-m", "tests.tensorflow_2.as_tensorflow_1"] if needs_tensorflow_1(code) else []
    return run([sys.executable, *adapted, path, *arguments], folder)


def needs_tensorflow_1(code: str) -> bool:
    """Whether a program needs help on the TensorFlow that is installed."""
    return RELEASE.first != (1, 15) and "disable_v2_behavior" not in code


def run(command: List[str], folder: object) -> str:
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([ROOT] + [path for path in sys.path if path]),
        TF_CPP_MIN_LOG_LEVEL="2",
    )
    done = subprocess.run(
        command, cwd=str(folder), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert done.returncode == 0, " ".join(command) + "\n" + done.stderr.decode()[-3000:]
    return done.stdout.decode()


# Python.


@pytest.mark.slow
@pytest.mark.parametrize("name", [os.path.basename(page) for page in EXAMPLES])
def test_the_complete_example_of_a_page_learns(name, tmp_path):
    code = example_of("docs/hosts/" + name)
    if "import keras\n" in code and not HAS_KERAS:
        pytest.skip("standalone Keras 2 is not installed: tox -e keras225,keras231")
    if name == "estimators.md" and not HAS_ESTIMATORS:
        pytest.skip("this TensorFlow has no tf.estimator")
    accuracy = re.search(r"accuracy ([0-9.]+)", run_python(code, tmp_path))
    assert float(accuracy.group(1)) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if page not in FOLLOWED and any(not is_elsewhere(block) for block in python_of(page))
    ],
)
def test_the_python_of_a_page_runs(page, tmp_path):
    prepare(tmp_path)
    program = ["def run(code, page, line):", "    code = '\\n' * (line - 1) + code"]
    program += ["    exec(compile(code, page, 'exec'), globals())"]
    for number, block in enumerate(python_of(page)):
        if not is_elsewhere(block):
            program.append("run(%r, 'set-up', 1)" % SETUP.get((page, number), ""))
            program.append("run(%r, %r, %d)" % (block.text, page, block.line))
    run_python("\n".join(program), tmp_path)


@pytest.mark.parametrize("page, first_line", sorted(ELSEWHERE))
def test_a_block_that_runs_elsewhere_is_there_and_so_is_the_test(page, first_line):
    assert any(is_elsewhere(block) for block in python_of(page) if first_line in block.text)
    module, _, test = ELSEWHERE[page, first_line].partition(".")
    tree = ast.parse(read("tests/%s.py" % module))
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", sorted(FOLLOWED))
def test_all_code_of_a_page_that_is_followed_is_in_the_followed_sections(page):
    followed = [
        block for heading in FOLLOWED[page] for block in test_extending.section(page, heading)
    ]
    assert followed and [block for block in python_of(page) if block not in followed] == []


# Shell.


def is_not_run(command: str) -> bool:
    return any(command == name or command.startswith(name + " ") for name in NOT_RUN)


def is_ours(command: str) -> bool:
    """Whether it is a program of the checkout, or calls one of the package's own commands."""
    return not is_not_run(command) and command.startswith(
        ("keras-optimizers ", "python -m keras_optimizers ", "TF_CPU_ALLOCATOR_USE_BFC=1 ")
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(is_ours, commands_of(page)))])
def test_the_commands_of_a_page_run_one_after_the_other(page, tmp_path):
    prepare(tmp_path)
    for command in filter(is_ours, commands_of(page)):
        if "--host keras" in command and not HAS_KERAS:
            continue  # test_standalone_keras.py runs it, where Keras is installed
        words = shlex.split(command)
        if words[0] == "keras-optimizers":
            words[:1] = [sys.executable, "-m", "keras_optimizers"]
        elif words[0] == "python":
            words[0] = sys.executable
        else:  # with a variable of the environment
            words = ["env", words[0], sys.executable, *words[2:], "--any"]
        run(words, tmp_path)


CHECKED = [
    (page, command)
    for page in PAGES
    for command in commands_of(page)
    if not is_ours(command) and not is_not_run(command)
]


@pytest.mark.parametrize("page, command", CHECKED)
def test_what_a_command_names_is_there(page, command):
    """Long commands do not run here, but their scripts, options and environments exist."""
    words = shlex.split(command)
    words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    if words[0] == "pip":
        extras = re.findall(r"\[(\w+)\]", command)
        assert words[1] == "install" and set(extras) <= set(extras_of_the_package())
    elif words[0].endswith("/tox"):
        assert words[1:2] in ([], ["-e"], ["-m"])
        known = labels_of_tox() if words[1:2] == ["-m"] else environments_of_tox()
        assert set("".join(words[2:3]).split(",")) - {""} <= known
    elif words[0] == "python":
        if words[1] == "-m":  # a program of the tests, as a module
            module = words[2].replace(".", "/") + ".py"
            words[1:3] = [] if words[2] == "pytest" else [module]
        text = read(words[1])
        for option in words[2:]:
            if option.startswith("--"):
                assert '"%s"' % option in text
    else:
        program = os.path.join(ROOT, words[0])
        assert os.path.isfile(program) and os.access(program, os.X_OK)


def labels_of_tox() -> set:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string(read("tox.ini"))
    return set(re.findall(r"^(\w+) =", settings["tox"]["labels"], re.MULTILINE))


def environments_of_tox() -> set:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string(read("tox.ini"))
    names = set()
    for section in settings.sections():
        # "matrix-{a,b}-{c,d}" stands for four.
        parts = re.split(r"\{(.*?)\}", section.partition(":")[2])
        choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
        names |= {"".join(chosen) for chosen in itertools.product(*choices)}
    return names


def extras_of_the_package() -> List[str]:
    table = read("pyproject.toml").partition("[project.optional-dependencies]\n")[2]
    return re.findall(r"^(\w+) = ", table.partition("\n[")[0], re.MULTILINE)


def test_bench_takes_the_arguments_that_the_pages_give_it():
    commands = [command for page in PAGES for command in commands_of(page)]
    benches = [command for command in commands if command.startswith("keras-optimizers bench")]
    assert benches
    for command in benches:
        options = cli._parser(shlex.split(command)[1:]).parse_args(shlex.split(command)[1:])
        assert isinstance(options, argparse.Namespace)


def test_every_reason_not_to_run_a_command_is_needed():
    commands = [command for page in PAGES for command in commands_of(page)]
    for name in NOT_RUN:
        assert any(command == name or command.startswith(name + " ") for command in commands), name


# The pages themselves.


def test_every_block_says_what_it_is():
    known = {"python", "sh", "text", "mermaid", "toml"}
    assert [block for block in BLOCKS if block.language not in known] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", read(page))):
        if re.match(r"https?://", target):
            continue
        path, _, heading = target.partition("#")
        linked = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert os.path.exists(os.path.join(ROOT, linked)), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", read(linked), re.MULTILINE)
            anchors = [
                re.sub(r"[^\w\- ]", "", title).replace(" ", "-").lower() for title in headings
            ]
            assert heading in anchors, target


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_at_most_120_characters_outside_tables_and_code(page):
    prose = re.sub(r"^ *```(?:.*\n)*?^ *```$", "", read(page), flags=re.MULTILINE)
    for table in ("matrix", "releases"):  # made by tests/eras/matrix.py
        prose = re.sub(f"<!-- {table} -->.*<!-- /{table} -->", "", prose, flags=re.DOTALL)
    long = [line for line in prose.split("\n") if len(line) > 120 and not line.startswith("|")]
    assert long == []


def test_the_index_lists_every_page():
    index = read("docs/README.md")
    for page in PAGES:
        if page.startswith("docs/") and page != "docs/README.md":
            assert "(%s)" % page[len("docs/") :] in index, page


@pytest.mark.parametrize("page", PAGES)
def test_paths_that_the_text_names_are_there(page):
    folders = "tests|docs|ci|benchmarks|examples|keras_optimizers"
    named = re.findall(r"`((?:%s)/[\w./-]+)`" % folders, read(page))
    # With the wheel installed, the package is not beside the pages.
    package = os.path.dirname(os.path.dirname(keras_optimizers.__file__))
    roots = (ROOT, package)
    missing = [one for one in named if not any(os.path.exists(os.path.join(r, one)) for r in roots)]
    assert missing == []
