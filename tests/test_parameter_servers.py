"""Parameter servers: real processes on this machine, and what crosses between them."""

import contextlib
import functools
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.training import CLASS_NAMES, configured, same_bits

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXAMPLE = os.path.join(ROOT, "examples", "parameter_servers.py")
BENCHMARKS = os.path.join(ROOT, "benchmarks")
ENVIRONMENT = dict(os.environ, PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL="2")


def run(*command):
    """Standard output of a Python script; a failure shows what it said."""
    done = subprocess.run(
        [sys.executable, *command],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return done.stdout.decode()


@pytest.fixture(scope="module")
def traffic():
    """Rows of the benchmark, by optimizer and whose it is."""
    script = os.path.join(BENCHMARKS, "parameter_server_traffic.py")
    rows = json.loads(run(script, "--json"))["rows"]
    return {(row["optimizer"], row["of"]): row for row in rows}


@pytest.mark.slow
@pytest.mark.xdist_group("traffic")
@pytest.mark.parametrize("kind", ["ours", "ours, fused", "ours, global step"])
@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam"])
def test_only_parameters_go_down_and_gradients_up(traffic, name, kind):
    row = traffic[name, kind]
    assert (row["parameters"], row["gradients"]) == (4, 4)
    assert (row["slots"], row["new values"]) == (0, 0)
    # A global step on the other server costs itself and one message.
    apart = kind == "ours, global step"
    assert row["coefficients"] <= 1 + apart and row["control"] <= 4 + apart
    # Besides, each server is told that all gradients are there, and tells that it is done.
    assert row["ps -> worker"] <= 4 + 2 and row["worker -> ps"] <= 4 + 2
    assert row["tensors"] == sum(
        row[column] for column in ("parameters", "gradients", "coefficients", "control")
    )
    # Ours are the same messages on TensorFlow 1.15 and 2. `tf.train` sends fewer on 2, which copies
    # a constant to each server that uses it: the rates of SGD and RMSprop no longer cross, only the
    # powers of Adam's betas do, which are variables. Our rates are variables: callbacks set them.
    theirs = traffic[name, "tf.train"]
    if theirs["coefficients"]:
        assert row["tensors"] <= theirs["tensors"] - 1 + apart


@pytest.mark.slow
@pytest.mark.xdist_group("traffic")
def test_the_benchmark_sees_what_upstream_sends(traffic):
    row = traffic["Adam", "upstream"]
    assert row["tensors"] == 51 and row["slots"] == 8 and row["parameters"] == 8
    assert row["ps -> worker"] == 38


def steps(optimizer, session_of, first=0, count=5):
    """Values of parameters and weights after the steps from `first` on, on one model."""
    random = np.random.RandomState(3)
    parameters = [
        tf.get_variable(
            "parameter_%d" % index,
            initializer=random.standard_normal(shape).astype("float32"),
            use_resource=index != 1,  # a ref variable, too
        )
        for index, shape in enumerate([(6, 5), (5, 4), (4, 3), (4, 3), (4, 3)])
    ]
    inputs = tf.placeholder(tf.float32, (None, 6))
    hidden = tf.tanh(tf.matmul(tf.matmul(inputs, parameters[0]), parameters[1]))
    outputs = tf.add_n([tf.matmul(hidden, parameter) for parameter in parameters[2:]])
    optimizer = optimizer()
    step = tf.group(*optimizer.get_updates(tf.reduce_mean(tf.square(outputs)), parameters))
    # Not the slots of one run's temporaries; names are equal in both graphs.
    variables = sorted(tf.global_variables(), key=lambda variable: variable.name)
    batches = [random.standard_normal((7, 6)) for _ in range(first + count)]
    initialize = tf.global_variables_initializer()
    with session_of() as session:
        if isinstance(session, tf.Session):
            session.run(initialize)
        assert session.run(optimizer.iterations) == first
        for batch in batches[first:]:
            session.run(step, {inputs: batch})
        return session.run(variables)


@contextlib.contextmanager
def new_servers():
    """A worker's server in this process, two parameter servers in their own."""
    sys.path.insert(0, BENCHMARKS)
    try:
        import parameter_server_traffic
    finally:
        sys.path.remove(BENCHMARKS)
    with parameter_server_traffic.Cluster() as cluster:
        cluster = tf.train.ClusterSpec(cluster.addresses)
        yield tf.train.Server(cluster, job_name="worker", task_index=0)


@pytest.fixture(scope="module")
def servers():
    with new_servers() as running:
        yield running


def placed(server):
    """Where a worker's graph puts its variables and its computation."""
    return tf.device(
        tf.train.replica_device_setter(
            worker_device="/job:worker/task:0", cluster=server.server_def.cluster
        )
    )


@pytest.mark.slow
@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_worker_with_two_servers_gets_the_bits_of_a_local_session(class_name, servers):
    with tf.Graph().as_default():
        expected = steps(lambda: configured(class_name), tf.Session)
    with tf.Graph().as_default(), placed(servers):
        found = steps(lambda: configured(class_name), lambda: tf.Session(servers.target))
        devices = {variable.device for variable in tf.global_variables()}
        assert devices == {"/job:ps/task:0", "/job:ps/task:1"}
    same_bits(expected, found)


@pytest.mark.slow
def test_training_goes_on_to_the_bit_on_new_servers_from_the_checkpoint(tmp_path):
    def make(class_name):
        optimizer = configured(class_name)
        optimizer.iterations = tf.train.get_or_create_global_step()
        return optimizer

    def saved_in(folder, server):
        return tf.train.MonitoredTrainingSession(
            server.target,
            checkpoint_dir=str(folder),
            save_checkpoint_steps=1,
            log_step_count_steps=None,
        )

    found = {}
    for first, count in [(0, 3), (3, 2)]:  # the servers of the first three are gone after them
        with new_servers() as server:
            for name in CLASS_NAMES:
                session_of = functools.partial(saved_in, tmp_path / name, server)
                with tf.Graph().as_default(), placed(server):
                    found[name] = steps(functools.partial(make, name), session_of, first, count)
    for name in CLASS_NAMES:
        with tf.Graph().as_default():
            same_bits(steps(functools.partial(make, name), tf.Session), found[name])


@pytest.mark.slow
@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize("counter", ["its own", "the global step"])
def test_no_step_of_workers_that_step_at_once_is_left_uncounted(counter, servers):
    with tf.Graph().as_default(), placed(servers):
        name = "counted_by_" + counter.replace(" ", "_")  # the servers keep variables by name
        parameter = tf.get_variable(name, initializer=np.ones((2, 2), "float32"))
        optimizer = keras_optimizers.SGD(lr=0.001)
        if counter == "the global step":
            optimizer.iterations = tf.train.get_or_create_global_step()
        step = tf.group(*optimizer.get_updates(tf.reduce_sum(parameter**2), [parameter]))
        with tf.Session(servers.target) as session, ThreadPoolExecutor(4) as workers:
            session.run(tf.global_variables_initializer())
            list(workers.map(lambda _: session.run(step), range(400)))
            assert session.run(optimizer.iterations) == 400


def outcome(text):
    return re.search(r"steps (\d+) loss ([\d.]+) accuracy ([\d.]+)", text).groups()


@pytest.mark.slow
@pytest.mark.parametrize("way", [[], ["--synchronous"]])
def test_two_workers_train_together(way, tmp_path):
    text = run(EXAMPLE, "--folder", str(tmp_path), *way)
    assert "worker 0 begins" in text and "worker 1 begins" in text
    _, loss, accuracy = outcome(text)
    assert float(loss) < 0.8 and float(accuracy) > 0.8
    saved = tf.train.load_checkpoint(str(tmp_path))
    counted = saved.get_tensor("global_step")
    made = sum(int(steps) for steps in re.findall(r"worker \d made (\d+) steps", text))
    # Each worker may be in a step when the last one is reached.
    assert 400 <= counted <= 402
    batches = 2 if way else 1  # a step is made of
    assert abs(made - batches * counted) <= 2 * batches
    names = list(saved.get_variable_to_shape_map())
    slots = [name for name in names if "Variable" in name or "Adam" in name]
    assert any(np.any(saved.get_tensor(name)) for name in slots)


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["0", "1"])  # the chief, and another one
def test_a_killed_worker_is_restarted_and_goes_on(killed, tmp_path):
    text = run(EXAMPLE, "--folder", str(tmp_path), "--kill-a-worker", killed)
    saved = int(re.search(r"killed worker %s, saved is step (\d+)" % killed, text).group(1))
    begins = [int(n) for n in re.findall(r"worker %s begins at step (\d+)" % killed, text)]
    # The other worker may have gone on in between.
    assert begins[0] < 100 <= saved <= begins[1] < 400
    assert int(re.search(r"worker %s made (\d+) steps" % killed, text).group(1)) > 0
    assert float(outcome(text)[2]) > 0.8


def test_where_no_device_names_a_task_the_graph_has_no_op_for_transport():
    parameter = tf.get_variable("parameter", initializer=np.ones((2, 2), "float32"))
    keras_optimizers.Adam().get_updates(tf.reduce_sum(tf.square(parameter)), [parameter])
    names = [op.name for op in tf.get_default_graph().get_operations()]
    assert not any(name.endswith("coefficients") for name in names)
