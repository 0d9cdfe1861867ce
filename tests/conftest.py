"""One graph, one session, one precision a test."""

import gc
import importlib.util
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow 1.15 imports with NumPy's FutureWarnings, which are not ours to mend.
warnings.filterwarnings("ignore", category=FutureWarning)

# TensorFlow 2.16 and later: `tf.keras` is Keras 2, where that is installed beside Keras 3.
if importlib.util.find_spec("tf_keras") is not None:
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

import keras_optimizers  # noqa: E402
from tests.tensorflow_2 import applicable  # noqa: E402

try:
    from keras_optimizers.tensorflow_private import silence_deprecation_warnings
except ImportError:  # the checkpoint part is tested without TensorFlow, too
    tf = None
else:
    import tensorflow as tf

    if not tf.__version__.startswith("1."):
        tf.compat.v1.disable_v2_behavior()
    silence_deprecation_warnings()

# A graph dies by garbage collection, for it is full of cycles. Freezing what the imports have made,
# which never dies, saves the collector from walking through it each time (Python 3.7 and later).
if hasattr(gc, "freeze"):
    gc.collect()
    gc.freeze()

# The same examples every time; HYPOTHESIS_PROFILE=default looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def fresh_graph():
    """A new graph and session, float32, nothing installed."""
    if tf is None:
        yield
        return
    tf.keras.backend.clear_session()
    tf.keras.backend.set_floatx("float32")
    yield
    keras_optimizers.uninstall()
    tf.keras.backend.set_floatx("float32")
    tf.keras.backend.clear_session()


@pytest.fixture
def native_op():
    """The module with the native op; without a C++ compiler the test is skipped."""
    from keras_optimizers.lowering.native import build, library

    try:
        build.find_compiler()
    except build.NoCompilerError as error:
        if library.find() is None:
            pytest.skip(str(error))
    return library.load(required=True)


@pytest.fixture
def tensorflows_own_ops(monkeypatch):
    """For tests of the ops that the native op replaces, also where the environment asks for it."""
    monkeypatch.setenv("KERAS_OPTIMIZERS_NATIVE", "0")


def pytest_collection_modifyitems(config, items):
    """Where workers share the tests, the slow ones come first, so that none ends up alone.

    On TensorFlow 2 the tests that are of TensorFlow 1.15 itself are left out.
    """
    if tf is not None and not tf.__version__.startswith("1."):
        applicable.leave_out(items)
    for item in items:  # `-m "not slow"` takes the place of the default `-m`
        if item.get_closest_marker("reliability"):
            item.add_marker(pytest.mark.slow)
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter):
    """How many tests do not apply to this TensorFlow, and why."""
    for line in applicable.summary(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line)
