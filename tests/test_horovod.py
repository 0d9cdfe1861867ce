"""Two real Horovod processes train as one process does, end with the same bits, stop and go on.

`ci/horovod` builds Horovod and runs this. What the processes do is in `tests/horovod/worker.py`;
they are started twice, and what they wrote is looked at here.
"""

import importlib.util
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.horovod import worker
from tests.training import K, same_bits

if importlib.util.find_spec("horovod") is None:
    pytest.skip("Horovod is not installed: ci/horovod builds it", allow_module_level=True)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLASS_NAMES = list(worker.CONFIGURATIONS)
LIMIT = 300  # seconds

# One process adds the gradients of a batch in one sum, two add two sums: another order, and so
# other last bits. Parameters are of order one, where a unit in the last place is 1e-7 and 2e-16;
# ten steps stay within a few. A step by another rule is off by more than 1e-3.
ROUNDING = {"float32": 2e-6, "float64": 1e-13}


def run_two(arguments):
    """Run a Python program in two Horovod processes on this machine; what they print."""
    horovodrun = os.path.join(os.path.dirname(sys.executable), "horovodrun")
    command = [horovodrun, "--gloo", "-np", "2", "-H", "localhost:2", "--network-interfaces", "lo"]
    # A process that waits for the other in vain gives up.
    command += ["--stall-check-warning-time-seconds", "20"]
    command += ["--stall-check-shutdown-time-seconds", "60"]
    process = subprocess.Popen(
        [*command, sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        cwd=ROOT,
        env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2"),
    )
    try:
        output, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # upon which horovodrun ends its processes
        output, _ = process.communicate(timeout=60)
        raise AssertionError(f"no end after {LIMIT} seconds:\n{output}") from None
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The folder with what the first two processes wrote."""
    folder = str(tmp_path_factory.mktemp("horovod"))
    run_two([worker.__file__, folder, "first"])
    return folder


@pytest.fixture(scope="module")
def resumed(first):
    """The same folder, after two other processes have gone on from there."""
    run_two([worker.__file__, first, "resumed"])
    return first


def written(folder, scenario, rank=0):
    with np.load(os.path.join(folder, f"{scenario}.{rank}.npz")) as arrays:
        return [arrays[f"arr_{index}"] for index in range(len(arrays.files))]


def of_both(folder, scenario):
    """What both processes ended with, which must be the same to the bit."""
    same_bits(written(folder, scenario, 0), written(folder, scenario, 1))
    return written(folder, scenario)


def largest_difference(expected, actual):
    assert [one.shape for one in expected] == [other.shape for other in actual]
    return max(np.max(np.abs(one - other)) for one, other in zip(expected, actual))


def equal_within_rounding(expected, actual, floatx="float64"):
    difference = largest_difference(expected, actual)
    print(f"largest difference in {floatx}: {difference:.1e}")  # pytest -rP shows it
    assert difference < ROUNDING[floatx]


def alone(optimizer, data, lookups=False):
    """What one process ends with, without Horovod."""
    return worker.arrays_of(worker.train(worker.compiled(optimizer, lookups=lookups), data))


# Two processes and one.


@pytest.mark.parametrize("floatx", ROUNDING)
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_two_workers_on_half_batches_equal_one_on_the_whole(first, class_name, floatx):
    two = of_both(first, f"dense-{floatx}-{class_name}")
    worker.fresh(floatx)
    one = alone(worker.configured(class_name), worker.batches())
    equal_within_rounding(one, two, floatx)
    assert one[-1] == two[-1] == worker.STEPS


@pytest.mark.parametrize("kind", ["sparse", "as_dense"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_so_they_do_with_the_gradients_of_lookups(first, class_name, kind):
    two = of_both(first, f"{kind}-{class_name}")
    worker.fresh("float64")
    one = alone(worker.configured(class_name), worker.batches(lookups=True), lookups=True)
    equal_within_rounding(one, two)


def test_so_they_do_with_fused_kernels(first):
    two = of_both(first, "fused")
    worker.fresh("float64")
    optimizer = worker.configured("Adam", fused=True)
    one = alone(optimizer, worker.batches(lookups=True), lookups=True)
    equal_within_rounding(one, two)


def test_so_they_do_with_a_wrapped_tf_train_optimizer(first):
    two = of_both(first, "tf_train")
    worker.fresh("float64")
    model = worker.compiled(keras_optimizers.TFOptimizer(tf.train.AdamOptimizer(0.01)))
    worker.train(model, worker.batches())
    one = [*model.get_weights(), K.get_value(model.optimizer.iterations)]
    equal_within_rounding(one, two)


def test_gradients_in_half_precision_on_the_wire_give_the_workers_the_same_bits(first):
    compressed, whole = of_both(first, "compressed"), of_both(first, "dense-float32-Adam")
    assert 1e-6 < largest_difference(whole, compressed) < 1e-2


@pytest.mark.parametrize("kind", ["dense", "lookups"])
@pytest.mark.parametrize("class_name", worker.WITHOUT_RACES)
def test_the_bits_are_those_of_upstreams_class_under_horovod(first, class_name, kind):
    name = f"{kind}-{class_name}"
    same_bits(of_both(first, f"upstream-{name}"), of_both(first, f"ours-{name}"))


# Clipping.


@pytest.mark.parametrize("name", worker.CLIPPING)
def test_each_worker_clips_its_own_gradient_before_the_average(first, name):
    two = of_both(first, f"clipped-{name}")
    batch, options = worker.batches(count=1)[0], worker.CLIPPING[name]

    def after_one_step(data):
        worker.fresh("float64")
        return alone(keras_optimizers.SGD(lr=0.5, **options), [data])[: len(two)]

    shares = [after_one_step(worker.share(batch, rank)) for rank in (0, 1)]
    average = [(one + other) / 2 for one, other in zip(*shares)]
    equal_within_rounding(average, two)
    assert largest_difference(after_one_step(batch), two) > 1e-4


@pytest.mark.parametrize("name", ["clipnorm", "clipvalue"])
def test_upstreams_classes_clip_there_too(first, name):
    same_bits(of_both(first, f"upstream-{name}"), of_both(first, f"ours-{name}"))


def test_the_average_is_clipped_by_replacing_get_gradients(first):
    two = of_both(first, "average_clipped")
    worker.fresh("float64")
    optimizer = worker.configured("SGD", **worker.CLIPPING["global_clipnorm"])
    equal_within_rounding(alone(optimizer, worker.batches()), two)


# Gradient aggregation.


@pytest.mark.parametrize("kind", ["exact", "fused"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_aggregated_gradients_make_the_steps_of_larger_batches(first, class_name, kind):
    two = of_both(first, f"aggregated-{class_name}-{kind}")
    _, whole = worker.aggregated_batches()
    worker.fresh("float64")
    optimizer = worker.configured(class_name, fused=kind == "fused")
    one = alone(optimizer, whole, lookups=True)
    equal_within_rounding(one, two)
    assert two[-1] == worker.STEPS


@pytest.mark.parametrize("kind", ["exact", "fused"])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_nothing_moves_before_the_last_gradient_of_a_step(first, class_name, kind):
    name = f"{class_name}-{kind}"
    same_bits(written(first, f"no_step-{name}"), of_both(first, f"half_a_step-{name}"))


def test_upstreams_classes_let_the_workers_drift_apart_there(first):
    ours = [written(first, "upstream_aggregated", rank) for rank in (0, 1)]
    assert largest_difference(*ours) > 1e-3


def test_horovod_refuses_to_aggregate_lookups_as_they_are(first):
    assert "`sparse_as_dense` is False" in str(of_both(first, "refused")[0])


# Broadcast.


def test_a_broadcast_brings_parameters_and_state_of_rank_0_to_all(first):
    rank_0, rank_1 = (written(first, "different", rank) for rank in (0, 1))
    assert largest_difference(rank_0[:-1], rank_1[:-1]) > 0.1
    both = of_both(first, "broadcast")
    same_bits(rank_0, both[:-1])
    assert both[-1] == np.float32(0.02)  # hyperparameters, too
    assert of_both(first, "broadcast_and_trained")[-1] == 40 + worker.STEPS


def test_the_callback_brings_them_after_the_first_batch(first):
    both = of_both(first, "by_callback")
    assert both[-2] == 40 + 6  # three epochs of two batches
    assert both[-1] == np.float32(0.02)


# Stop and go on.


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_two_new_processes_go_on_exactly_from_rank_0s_file(resumed, class_name):
    expected = of_both(resumed, f"uninterrupted-{class_name}")
    same_bits(expected, of_both(resumed, f"resumed-{class_name}"))
    assert expected[-1] == worker.STEPS


def test_options_come_back_by_a_custom_object(resumed):
    expected = of_both(resumed, "uninterrupted-Adam")
    equal_within_rounding(expected, of_both(resumed, "resumed_as_dense"), "float32")


def test_a_file_that_rank_0_alone_has_is_enough(resumed):
    same_bits(of_both(resumed, "uninterrupted-Adam"), of_both(resumed, "resumed_from_rank_0"))


def test_the_file_loads_without_horovod(first):
    with keras_optimizers.install():
        model = tf.keras.models.load_model(os.path.join(first, "Adam.h5"))
    assert type(model.optimizer) is keras_optimizers.Adam
    assert K.get_value(model.optimizer.iterations) == worker.Worker.STOP


def test_where_ours_are_not_installed_load_model_gives_another_class(resumed):
    (modules,) = of_both(resumed, "loaded_without_ours")
    assert all(str(module).startswith("tensorflow") for module in modules)


# What users run.


def test_the_example_trains_stops_and_goes_on(tmp_path):
    example = os.path.join(ROOT, "examples", "horovod_digits.py")
    output = run_two([example, "--output", str(tmp_path), "--epochs", "6"])
    assert "the 2 workers hold the same bits: yes" in output
    assert "resumed training equals, to the bit, uninterrupted training: yes" in output
    difference = re.search(r"difference from one worker on whole batches: (\S+)", output)
    assert float(difference.group(1)) < 1e-4
    accuracy = re.search(r"test accuracy (\S+)", output)
    assert float(accuracy.group(1)) > 0.9


def test_the_script_of_the_page_runs(tmp_path):
    with open(os.path.join(ROOT, "docs", "hosts", "horovod.md"), encoding="utf-8") as page:
        script = re.search(r"```python\n(.*?)```", page.read(), re.DOTALL).group(1)
    path = tmp_path / "train.py"
    path.write_text(script.replace('"model.h5"', repr(str(tmp_path / "model.h5"))))
    for _ in range(2):  # from the start, and from the file
        run_two([str(path)])
    with keras_optimizers.install():
        model = tf.keras.models.load_model(str(tmp_path / "model.h5"))
    assert type(model.optimizer) is keras_optimizers.Adam
    assert K.get_value(model.optimizer.iterations) == 2 * 5 * 4  # runs, epochs, batches
