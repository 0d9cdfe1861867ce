"""The `keras-optimizers` command, as a process of its own."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest
import tensorflow as tf

import keras_optimizers
from keras_optimizers import cli
from keras_optimizers.tensorflow_private import RELEASE
from tests.tensorflow_2.log import without_log

COMMAND = os.path.join(os.path.dirname(sys.executable), "keras-optimizers")
MODULE = [sys.executable, "-m", "keras_optimizers"]


def run(*arguments, **options):
    """Exit status, standard output, standard error."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options
    )
    return done.returncode, done.stdout.decode(), without_log(done.stderr.decode())


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


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["inspet"], "'conformance'). Did you mean 'inspect'?"),
        (["bench", "--case", "smal"], "Did you mean 'small'?"),
        (["conformance", "--check", "weights-layout"], "Did you mean 'weights_layout'?"),
        (["quux"], "'conformance').\n"),
        ([], "COMMAND, one of run, "),
    ],
)
def test_a_mistyped_word_leads_to_the_right_one(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2 and words in capsys.readouterr().err


def test_a_directory_is_no_script(tmp_path, capsys):
    assert cli.main(["run", str(tmp_path)]) == 2
    assert "is a directory, no script" in capsys.readouterr().err


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


def test_every_name_of_tf_keras_leads_to_our_optimizers(script):
    path = script("""
        from tensorflow.compat.v1.keras.optimizers import Adam
        from tensorflow.keras.optimizers import SGD
        import tensorflow as tf
        found = [Adam, SGD, tf.keras.optimizers.Adam, tf.compat.v1.keras.optimizers.Adam]
        print({one.__module__.split(".")[0] for one in found})
    """)
    status, output, errors = run(*MODULE, "run", path)
    assert (status, output) == (0, "{'keras_optimizers'}\n"), errors


@pytest.mark.skipif(RELEASE.first != (1, 15), reason="on TensorFlow 2 keras is tf.keras")
def test_run_says_that_standalone_keras_keeps_its_own_optimizers(script, tmp_path):
    (tmp_path / "keras.py").write_text("")
    path = script("import keras, keras")
    said = "script.py imports keras, and gets the optimizers of that package from it. To get the"
    status, _, errors = run(*MODULE, "run", path)
    assert status == 0 and errors.count(said) == 1
    assert errors.strip().endswith(f"original ones: keras-optimizers run --host keras {path}")
    assert said not in run(*MODULE, "run", "--quiet", path)[2]
    assert "imports keras" not in run(*MODULE, "run", script("import beside"))[2]


def test_a_tensorflow_that_cannot_be_imported_is_not_said_to_be_missing(script, tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(
        "raise ImportError('numpy.core.umath failed to import')"
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    done = subprocess.run(
        [*MODULE, "run", script("")], stderr=subprocess.PIPE, env=environment, cwd=str(tmp_path)
    )
    errors = done.stderr.decode()
    assert done.returncode == 2 and "Traceback" not in errors
    assert "is installed and cannot be imported: numpy.core.umath failed to import." in errors
    assert "`pip install 'numpy<2'`" in errors


def test_a_traceback_of_run_begins_in_the_script(script):
    path = script("def fail():\n    raise KeyError('of the script')\n\n\nfail()\n")
    status, _, errors = run(*MODULE, "run", "--quiet", path)
    expected = subprocess.run([sys.executable, path], stderr=subprocess.PIPE).stderr.decode()
    assert status == 1 and errors == expected


def test_a_syntax_error_is_shown_without_a_traceback(script):
    path = script("x = = 1\n")
    _, _, errors = run(*MODULE, "run", "--quiet", path)
    expected = subprocess.run([sys.executable, path], stderr=subprocess.PIPE).stderr.decode()
    assert errors == expected and "runpy" not in errors


def test_ctrl_c_ends_with_130_and_a_traceback_of_the_script(script):
    path = script("raise KeyboardInterrupt\n")
    status, _, errors = run(*MODULE, "run", "--quiet", path)
    assert status == 130 and errors.startswith("Traceback") and "cli.py" not in errors


DEFAULTS = """
    import inspect
    from tensorflow.keras import optimizers

    for _ in range(2):
        optimizers.Adadelta()
        optimizers.get("nadam")
    optimizers.SGD()
    optimizers.Adam()
    optimizers.Adagrad(0.1)
    optimizers.Adamax.from_config(optimizers.Adamax(lr=0.1).get_config())
    print(inspect.signature(optimizers.Adadelta))
"""


def test_run_says_once_where_a_default_that_changed_is_used(script):
    path = script(DEFAULTS)
    _, output, errors = run(*MODULE, "run", path)
    assert output == "(lr=1.0, rho=0.95, epsilon=None, decay=0.0, **kwargs)\n"
    said = [line for line in errors.splitlines() if " without " in line]
    later = "in tf.keras from TensorFlow 1.14 on the default is 0.001. Give lr in the script, "
    assert said == [
        "keras-optimizers: Adadelta without lr: 1 is used, as in TensorFlow 1.10; "
        + later
        + "and this line goes.",
        "keras-optimizers: Nadam without lr: 0.002 is used, as in TensorFlow 1.10; "
        + later
        + "and this line goes.",
    ]
    assert " without " not in run(*MODULE, "run", "--quiet", path)[2]


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
