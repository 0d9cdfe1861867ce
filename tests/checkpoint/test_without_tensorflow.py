"""The checkpoint part needs no TensorFlow; the rest says plainly what is missing."""

import os
import subprocess
import sys

import pytest

from tests.checkpoint import files, fuzz

BLOCKED = "import sys; sys.modules['tensorflow'] = None\n"


def python(code, *arguments):
    surroundings = dict(os.environ, PYTHONPATH=fuzz.ROOT)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("name", ["Adam", "adam", "install", "get"])
def test_the_optimizers_say_what_they_need(name):
    status, _, errors = python(BLOCKED + "from keras_optimizers import " + name)
    assert status == 1 and "needs TensorFlow 1.15" in errors and "checkpoint" in errors


def test_another_tensorflow_is_named():
    code = (
        "import sys, types; tf = types.ModuleType('tensorflow'); tf.__version__ = '2.3.1'\n"
        "sys.modules['tensorflow'] = tf\nimport keras_optimizers\nkeras_optimizers.SGD"
    )
    status, _, errors = python(code)
    assert status == 1 and "here is 2.3.1" in errors


@pytest.mark.parametrize("command", ["inspect", "verify", "migrate"])
def test_commands_work_on_plain_files(command, tmp_path):
    path = files.source("keras-3", "adam")
    more = {
        "inspect": [],
        "verify": [files.source("keras-3", "adam")],
        "migrate": [str(tmp_path / "t.h5"), "--to", "keras-2.3"],
    }[command]
    code = BLOCKED + "from keras_optimizers import cli; sys.exit(cli.main(sys.argv[1:]))"
    status, output, errors = python(code, command, path, *more)
    assert (status, errors) == (0, "") and output


LOADED = (
    "import sys\nfrom keras_optimizers import cli\n"
    "try:\n    cli.main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
    "sys.stderr.write(' '.join(sorted(sys.modules)))"
)


@pytest.mark.parametrize(
    "arguments,absent",
    [
        (["--help"], {"tensorflow", "numpy", "keras_optimizers.checkpoint"}),
        (["run", "--help"], {"tensorflow", "numpy", "keras_optimizers.checkpoint"}),
        (["bench", "--help"], {"tensorflow", "numpy", "keras_optimizers.checkpoint"}),
        (["migrate", "--help"], {"tensorflow", "h5py", "keras_optimizers.bench"}),
        (["inspect", files.source("keras-3", "adam")], {"tensorflow", "keras_optimizers.bench"}),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments, absent):
    status, output, errors = python(LOADED, *arguments)
    assert status == 0 and output, errors
    loaded = set(errors.splitlines()[-1].split())
    assert "keras_optimizers.cli" in loaded and not absent & loaded


def test_the_list_of_commands_is_complete_without_their_parts():
    status, output, _ = python(LOADED, "--help")
    assert status == 0 and all(
        name in output for name in ("run", "bench", "inspect", "migrate", "verify")
    )


def test_a_command_that_needs_it_says_so_without_a_traceback(tmp_path):
    code = BLOCKED + "from keras_optimizers import cli; sys.exit(cli.main(sys.argv[1:]))"
    status, _, errors = python(code, "inspect", files.source("saver-ours", "adam"))
    assert status == 2 and "are read and written by TensorFlow" in errors
    status, _, errors = python(code, "bench", "--case", "small")
    assert status == 2 and "needs TensorFlow 1.15" in errors and "Traceback" not in errors


def test_the_module_has_its_names_and_no_others():
    pytest.importorskip("tensorflow")
    import keras_optimizers

    public = {name for name in dir(keras_optimizers) if name in keras_optimizers.__all__}
    for name in keras_optimizers.__all__:
        value = getattr(keras_optimizers, name)
        assert callable(value) and value.__module__.startswith("keras_optimizers."), name
    assert public == set(keras_optimizers.__all__)
    assert keras_optimizers.adamax is keras_optimizers.Adamax
    assert keras_optimizers.sgd is keras_optimizers.SGD
    import keras_optimizers.sgd  # the module does not take the alias's place

    assert keras_optimizers.sgd is keras_optimizers.SGD
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        keras_optimizers.Nonsense  # noqa: B018


@pytest.mark.parametrize("name", ["checkpoint", "conformance", "numpy_rules"])
def test_the_parts_are_attributes_after_the_import_of_the_package(name):
    code = "import keras_optimizers\nprint(keras_optimizers.%s.__name__)" % name
    status, output, errors = python(BLOCKED + code)
    assert (status, output) == (0, "keras_optimizers.%s\n" % name), errors
