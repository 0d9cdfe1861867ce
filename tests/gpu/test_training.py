"""On a GPU: training, placement, bits, determinism and speed.

Without a GPU these tests are skipped. `KERAS_OPTIMIZERS_GPU=/cpu:0` puts everything on that device
instead, to try the tests themselves. They need TensorFlow (2.x in graph mode, or 1.15), its Keras 2
and pytest, and nothing else.
"""

import hashlib
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.bench import cases, measure, peers
from keras_optimizers.checkpoint import capture, restore
from keras_optimizers.tensorflow_private import KERAS
from tests.recorded.ordering import order_reads_before_writes
from tests.training import CLASS_NAMES, K, configured, same_bits, scalars_of, upstream

DEVICE = os.environ.get("KERAS_OPTIMIZERS_GPU", "/gpu:0")
IS_GPU = "gpu" in DEVICE.lower()
if IS_GPU and not tf.config.experimental.list_physical_devices("GPU"):
    pytest.skip("there is no GPU that TensorFlow sees: see ci/gpu", allow_module_level=True)
if hasattr(tf.config.experimental, "enable_tensor_float_32_execution"):
    # Products of matrices with 10 bits would hide what the optimizers do.
    tf.config.experimental.enable_tensor_float_32_execution(False)

SHAPES = [(64, 48), (48,), (33, 7), (5, 5), (5, 5), (5, 5), ()]
EXACT, FUSED = {}, {"fused": True}
both_paths = pytest.mark.parametrize("options", [EXACT, FUSED], ids=["exact", "fused"])
every_class = pytest.mark.parametrize("class_name", CLASS_NAMES)


@pytest.fixture(autouse=True)
def fresh():
    K.clear_session()
    yield
    keras_optimizers.uninstall()
    K.clear_session()


def session():
    """Without soft placement: an op that has no kernel on its device is an error."""
    return tf.Session(config=tf.ConfigProto(allow_soft_placement=not IS_GPU))


def gradient(random, shape, dtype):
    """Numbers whose squares float16 can hold."""
    values = random.standard_normal(shape)
    return np.asarray(values + np.copysign(0.5, values), dtype)


class Training:
    """Parameters on the device, gradients that are fed, and the step of one optimizer."""

    def __init__(self, optimizer, dtype="float32", rows=None, device=DEVICE):
        random = np.random.RandomState(0)
        shapes = SHAPES if rows is None else [(40, 8), (40, 3)]
        with tf.device(device):
            self.parameters = [
                tf.Variable(np.asarray(random.standard_normal(s), dtype), use_resource=True)
                for s in shapes
            ]
            self.feeds = [tf.placeholder(dtype, s) for s in shapes]
            values = self.parameters
            if rows is not None:
                values = [tf.gather(parameter, rows) for parameter in values]
                self.feeds = [tf.placeholder(dtype, value.shape) for value in values]
            losses = [tf.reduce_sum(one * feed) for one, feed in zip(values, self.feeds)]
            self.optimizer = optimizer()
            updates = self.optimizer.get_updates(tf.add_n(losses), self.parameters)
            updates = [tf.assign(*u) if isinstance(u, tuple) else u for u in updates]
        if type(self.optimizer).__module__ == upstream.__name__:
            order_reads_before_writes(scalars_of(self.optimizer))
        self.step = tf.group(*updates)
        self.slots = [one for one in self.optimizer.weights if one.shape.ndims]
        self.dtype = dtype

    def run(self, steps=10):
        """Parameters and weights after the steps."""
        random = np.random.RandomState(1)
        with session() as running:
            running.run(tf.global_variables_initializer())
            for _ in range(steps):
                fed = [gradient(random, feed.shape, self.dtype) for feed in self.feeds]
                running.run(self.step, dict(zip(self.feeds, fed)))
            return running.run(self.parameters + list(self.optimizer.weights))


def trained(optimizer, steps=10, **more):
    with tf.Graph().as_default():
        return Training(optimizer, **more).run(steps)


@both_paths
@every_class
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_it_trains_where_every_op_must_have_a_kernel(dtype, class_name, options):
    training = Training(lambda: configured(class_name, clipnorm=5.0, **options), dtype)
    for variable in training.parameters + training.slots:
        assert variable.device.lower().endswith(DEVICE.lower().lstrip("/")), variable.name
    before = training.run(steps=0)
    after = training.run(steps=3)
    for one, other in zip(before[: len(SHAPES)], after):
        assert np.all(np.isfinite(other)) and not np.array_equal(one, other)


@both_paths
@every_class
def test_lookups_train_as_on_a_cpu(class_name, options):
    def train(device):
        make = lambda: configured(class_name, **options)  # noqa: E731
        return trained(make, rows=[3, 0, 3, 39, 7], device=device)

    near(train("/cpu:0"), train(DEVICE))


@both_paths
@every_class
def test_dense_parameters_train_as_on_a_cpu(class_name, options):
    def train(device):
        return trained(lambda: configured(class_name, **options), device=device)

    near(train("/cpu:0"), train(DEVICE))


@every_class
@pytest.mark.parametrize("rows", [None, [3, 0, 39, 7]], ids=["dense", "lookups"])
def test_exact_has_the_bits_of_the_old_classes_on_the_same_device(rows, class_name):
    theirs = trained(lambda: configured(class_name, upstream), rows=rows)
    same_bits(theirs, trained(lambda: configured(class_name), rows=rows))


@every_class
def test_fused_is_within_rounding_of_exact(class_name):
    exact = trained(lambda: configured(class_name), steps=5)
    fused = trained(lambda: configured(class_name, fused=True), steps=5)
    near(exact[: len(SHAPES)], fused[: len(SHAPES)])


@both_paths
@every_class
def test_twenty_runs_give_one_result(class_name, options):
    training = Training(lambda: configured(class_name, **options))
    found = set()
    for _ in range(20):
        values = training.run()
        found.add(hashlib.sha1(b"".join(value.tobytes() for value in values)).digest())
    assert len(found) == 1


@both_paths
@every_class
def test_a_model_is_fitted_saved_and_goes_on_after_loading(class_name, options, tmp_path):
    path = str(tmp_path / "model.h5")
    random = np.random.RandomState(2)
    features = random.standard_normal((64, 10)).astype("float32")
    labels = features[:, :3] ** 2
    layers = KERAS.layers
    with keras_optimizers.install(), tf.device(DEVICE):
        model = KERAS.Sequential(
            [layers.Dense(16, activation="relu", input_shape=(10,)), layers.Dense(3)]
        )
        model.compile(configured(class_name, **options), "mse")
        losses = model.fit(features, labels, epochs=3, verbose=0, shuffle=False).history["loss"]
        assert losses[-1] < losses[0]
        model.save(path)
        state = capture(model.optimizer)
        model.fit(features, labels, epochs=2, verbose=0, shuffle=False)
        expected = model.get_weights()
        K.clear_session()
    with keras_optimizers.install(), tf.device(DEVICE):  # of the new graph
        loaded = KERAS.models.load_model(path)
        loaded._make_train_function()
        for slot in [one for one in loaded.optimizer.weights if one.shape.ndims]:
            assert slot.device.lower().endswith(DEVICE.lower().lstrip("/")), slot.name
        restore(loaded.optimizer, state)
        loaded.fit(features, labels, epochs=2, verbose=0, shuffle=False)
    near(expected, loaded.get_weights(), tolerance=1e-5)


@pytest.mark.parametrize("case", ["small", "large"])
@pytest.mark.parametrize("name", ["SGD momentum", "RMSprop", "Adam", "Nadam"])
def test_exact_is_no_slower_than_the_old_classes(name, case, capsys):
    if not IS_GPU:
        pytest.skip("measured on a GPU alone")
    chosen = [peer for peer in peers.PEERS if peer != peers.XLA]
    (record,) = measure.measure_case(cases.CASES[case], [name], chosen, 15, lambda: None)
    medians = {peer: time["median"] for peer, time in record["milliseconds"].items()}
    with capsys.disabled():
        told = ", ".join(f"{peer} {median:.3f}" for peer, median in medians.items())
        print(f"\n{case}, {name}, ms a step on {DEVICE}: {told}")
    assert medians[peers.EXACT] <= 1.1 * medians[peers.UPSTREAM]
    fastest = min(time for peer, time in medians.items() if peer not in peers.OURS)
    assert medians[peers.FUSED] <= 1.2 * fastest


def near(expected, actual, tolerance=1e-4):
    """The same but for rounding: other orders of sums, other roots, contracted products."""
    assert len(expected) == len(actual)
    for one, other in zip(expected, actual):
        np.testing.assert_allclose(other, one, rtol=tolerance, atol=tolerance / 10)
