"""The `keras-optimizers` command, as a process of its own."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest
import tensorflow as tf

import keras_optimizers

COMMAND = os.path.join(os.path.dirname(sys.executable), "keras-optimizers")
MODULE = [sys.executable, "-m", "keras_optimizers"]


def run(*arguments, **options):
    """Exit status, standard output, standard error."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def script(tmp_path):
    """Writes a script into a folder of its own, beside a module that it imports."""
    (tmp_path / "beside.py").write_text("VALUE = 42\n")

    def write(text):
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


TRAINING = """
    import sys
    import numpy as np
    import tensorflow as tf
    from tensorflow.keras.optimizers import Adam
    import beside

    assert __name__ == "__main__" and beside.VALUE == 42
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])
    model.compile(Adam(lr=0.01, decay=0.1), "mse")
    model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)
    print(type(model.optimizer).__module__, sys.argv[1:])
    sys.exit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", [[COMMAND], MODULE], ids=["command", "module"])
def test_run_gives_a_script_our_optimizers_its_arguments_and_its_exit_status(command, script):
    path = script(TRAINING)
    status, output, errors = run(*command, "run", path, "--epochs", "5", "-v")
    assert (status, output) == (3, "keras_optimizers.adam ['--epochs', '5', '-v']\n"), errors
    version = keras_optimizers.__version__
    on = (
        "" if tf.__version__.startswith("1.") else f", on TensorFlow {tf.__version__} in graph mode"
    )
    assert f"keras-optimizers {version}: {path} gets the original optimizers{on}\n" in errors


@pytest.mark.slow
def test_a_quiet_run_shows_nothing_but_what_the_script_shows(script):
    status, output, errors = run(*MODULE, "run", "--quiet", script("print('hello')"))
    assert (status, output, errors) == (0, "hello\n", "")


@pytest.mark.slow
def test_an_error_in_the_script_is_shown_as_python_shows_it(script):
    status, _, errors = run(*MODULE, "run", script("raise KeyError('of the script')"))
    assert status == 1
    assert "script.py" in errors and "KeyError: 'of the script'" in errors


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, words",
    [
        (["run", "no_such_script.py"], "there is no script 'no_such_script.py'"),
        (["run"], "SCRIPT"),
        ([], "COMMAND"),
        (["jump"], "invalid choice: 'jump'"),
    ],
)
def test_bad_usage_is_one_clear_error_and_status_2(arguments, words):
    status, output, errors = run(*MODULE, *arguments)
    assert status == 2 and output == ""
    assert words in errors and "Traceback" not in errors


@pytest.mark.slow
def test_help_has_an_example():
    for arguments in (["--help"], ["run", "--help"]):
        status, output, _ = run(*MODULE, *arguments)
        assert status == 0 and "keras-optimizers run train.py" in output
    assert run(*MODULE, "--version")[1].strip() == keras_optimizers.__version__


KERAS_SCRIPT = """
    import keras
    model = keras.models.Sequential([keras.layers.Dense(1, input_shape=(2,))])
    model.compile("adam", "mse")
    print(type(model.optimizer).__module__)
"""


@pytest.mark.slow
def test_run_with_standalone_keras_as_the_host_or_what_to_install(script):
    status, output, errors = run(COMMAND, "run", "--host", "keras", script(KERAS_SCRIPT))
    if importlib.util.find_spec("keras") is None:
        assert status == 2 and "pip install 'keras==2.3.1'" in errors and "Traceback" not in errors
    else:
        assert (status, output) == (0, "keras_optimizers.adam\n"), errors


def test_a_traceback_of_run_begins_in_the_script(script):
    path = script("def fail():\n    raise KeyError('of the script')\n\n\nfail()\n")
    status, _, errors = run(*MODULE, "run", "--quiet", path)
    expected = subprocess.run([sys.executable, path], stderr=subprocess.PIPE).stderr.decode()
    assert status == 1 and errors == expected


def test_run_leaves_the_scripts_warnings_alone(script):
    path = script(
        "import warnings\n"
        "import tensorflow as tf\n"
        "warnings.warn('of the script')\n"
        "tf.compat.v1.Print(tf.constant(1), [])\n"  # TensorFlow logs that it is deprecated
    )
    _, _, errors = run(*MODULE, "run", "--quiet", path)
    assert "UserWarning: of the script" in errors
    assert "is deprecated" in errors
