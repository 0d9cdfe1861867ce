"""Reading and writing an optimizer's state."""

import h5py
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers.hosts import current
from keras_optimizers.weights import check_weights, in_layout_of
from tests.training import CLASS_NAMES, K, configured, make_trainable, same_bits


def trained(class_name, **more):
    """An optimizer after three steps on one (2, 3) parameter."""
    optimizer = configured(class_name, **more)
    _, updates = make_trainable(optimizer)
    for _ in range(3):
        K.get_session().run(updates)
    return optimizer


def arrays(weights):
    return [np.asarray(weight) for weight in weights]


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_weights_written_are_the_weights_read(class_name):
    optimizer = trained(class_name)
    written = [
        np.full_like(weight, 5 + index) for index, weight in enumerate(optimizer.get_weights())
    ]
    optimizer.set_weights(written)
    same_bits(written, arrays(optimizer.get_weights()))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_reads_and_writes_of_weights_add_nothing_to_the_graph(class_name):
    optimizer = trained(class_name)
    before = len(tf.get_default_graph().get_operations())
    for _ in range(3):
        optimizer.set_weights(optimizer.get_weights())
    assert len(tf.get_default_graph().get_operations()) == before


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_the_first_write_already_works_in_a_finalized_graph(class_name):
    optimizer = configured(class_name)
    _, updates = make_trainable(optimizer)
    session = K.get_session()
    session.run(updates)
    tf.get_default_graph().finalize()
    weights = optimizer.get_weights()
    session.run(updates)
    optimizer.set_weights(weights)
    same_bits(arrays(weights), arrays(optimizer.get_weights()))
    assert optimizer.get_config()


def test_a_finalized_graph_of_another_framework_needs_no_keras_session():
    """The variables of a MonitoredTrainingSession were never seen by Keras's own initializer."""
    optimizer = configured("Adam")
    _, updates = make_trainable(optimizer)
    with tf.train.MonitoredTrainingSession() as monitored:
        monitored.run(updates)
        session = monitored._tf_sess()
        with session.as_default():
            weights = optimizer.get_weights()
            weights[0] = 7
            optimizer.set_weights(weights)
            assert optimizer.get_weights()[0] == 7


def test_all_weights_are_read_in_one_run_and_written_in_one(monkeypatch):
    optimizer = trained("Adam")
    session, runs = K.get_session(), []
    original = session.run
    monkeypatch.setattr(session, "run", lambda *a, **k: runs.append(a) or original(*a, **k))
    weights = optimizer.get_weights()
    assert len(runs) == 1
    optimizer.set_weights(weights)
    assert len(runs) == 2


def test_lists_numbers_and_other_float_types_are_taken():
    optimizer = trained("SGD")
    optimizer.set_weights([3, [[1, 2, 3], [4, 5, 6]]])
    iterations, velocity = optimizer.get_weights()
    assert iterations == 3 and iterations.dtype == np.int64
    np.testing.assert_array_equal(velocity, np.array([[1, 2, 3], [4, 5, 6]], "float32"))
    optimizer.set_weights([np.float32(4), velocity.astype("float64")])
    same_bits([np.int64(4), velocity], arrays(optimizer.get_weights()))


def test_h5py_datasets_are_taken(tmp_path):
    optimizer = trained("Adam")
    weights = optimizer.get_weights()
    with h5py.File(str(tmp_path / "weights.h5"), "w") as opened:
        datasets = [
            opened.create_dataset(str(index), data=weight) for index, weight in enumerate(weights)
        ]
        optimizer.set_weights([np.zeros_like(weight) for weight in weights])
        optimizer.set_weights(datasets)
    same_bits(arrays(weights), arrays(optimizer.get_weights()))


@pytest.mark.parametrize("class_name", ["RMSprop", "Adagrad", "Adadelta"])
def test_lists_of_keras_23_that_begin_with_iterations_are_taken(class_name):
    optimizer = trained(class_name)
    weights = optimizer.get_weights()
    optimizer.set_weights([np.int64(41)] + [weight + 1 for weight in weights])
    assert K.get_value(optimizer.iterations) == 41
    same_bits([weight + 1 for weight in weights], optimizer.get_weights())


@pytest.mark.parametrize("steps", [0, 1, 3, 200])
def test_a_nadam_list_of_tensorflow_110_gets_its_schedule_from_the_iterations(steps):
    optimizer = configured("Nadam")
    _, updates = make_trainable(optimizer)
    session = K.get_session()
    for _ in range(steps):
        session.run(updates)
    weights = optimizer.get_weights()
    expected = weights.pop(1)
    session.run(tf.global_variables_initializer())
    optimizer.set_weights(weights)
    restored = optimizer.get_weights()[1]
    np.testing.assert_array_max_ulp(restored, expected, maxulp=2 if expected > 1e-37 else 10**7)


@pytest.mark.parametrize("count", [np.inf, np.nan, 1.5, "x"])
def test_a_nadam_list_of_tensorflow_110_is_refused_where_its_count_is_none(count):
    optimizer = trained("Nadam")
    before = optimizer.get_weights()
    with pytest.raises(ValueError, match="weight 0 of the optimizer, Nadam/iterations:0"):
        optimizer.set_weights([count] + before[2:])
    assert all(np.array_equal(*pair) for pair in zip(before, optimizer.get_weights()))


def test_only_sgd_without_momentum_takes_a_list_without_velocities():
    optimizer = keras_optimizers.SGD(lr=0.1)
    make_trainable(optimizer)
    velocity = np.full((2, 3), 0.5, "float32")
    optimizer.set_weights([4, velocity])
    np.testing.assert_array_equal(optimizer.get_weights()[1], velocity)
    optimizer.set_weights([5])
    iterations, none = optimizer.get_weights()
    assert iterations == 5 and not none.any()
    optimizer = keras_optimizers.SGD(lr=0.1, momentum=0.9)
    make_trainable(optimizer)
    with pytest.raises(ValueError, match=r"weight list \(1\) does not match"):
        optimizer.set_weights([5])


def test_an_adam_list_without_the_third_group_is_taken_unless_amsgrad_needs_it():
    optimizer = configured("Adam", amsgrad=False)
    make_trainable(optimizer)
    weights = [5, np.ones((2, 3)), np.ones((2, 3))]
    optimizer.set_weights(weights)
    assert optimizer.get_weights()[0] == 5 and len(optimizer.get_weights()) == 4
    tf.keras.backend.clear_session()
    amsgrad = configured("Adam", amsgrad=True)
    make_trainable(amsgrad)
    with pytest.raises(ValueError, match="Length of the specified weight list"):
        amsgrad.set_weights(weights)


def test_fused_adam_leaves_out_an_unused_third_group_and_refuses_one_of_amsgrad():
    optimizer = configured("Adam", amsgrad=False, fused=True)
    variables = [K.variable(np.ones((2, 3)), name=name) for name in ("kernel", "recurrent")]
    loss = tf.add_n([tf.reduce_sum(tf.square(variable)) for variable in variables])
    optimizer.get_updates(loss, variables)
    moments = [np.ones((2, 3))] * 4
    optimizer.set_weights([5, *moments, np.zeros(1), np.zeros(1)])
    assert optimizer.get_weights()[0] == 5 and len(optimizer.get_weights()) == 5
    # The largest second moments of AMSGrad would be lost, be it those of one parameter.
    for first, second in ((np.ones((2, 3)), np.zeros(1)), (np.zeros(1), np.ones((2, 3)))):
        with pytest.raises(ValueError, match="Length of the specified weight list"):
            optimizer.set_weights([6, *moments, first, second])
    assert optimizer.get_weights()[0] == 5


def test_a_list_of_keras_22_gets_the_count_that_keras_23_puts_first():
    class CountsFirst(type(current())):
        counts_first = True

    optimizer, host = trained("SGD"), CountsFirst()
    variables, values = in_layout_of(optimizer, host, [np.ones((2, 3))])
    assert variables == optimizer.weights and len(values) == 2 and values[0] == 0
    for complete in ([4, np.ones((2, 3))], [], [1, 2, 3]):
        assert in_layout_of(optimizer, host, complete)[1] == complete
    assert in_layout_of(optimizer, current(), [5])[1] == [5]


@pytest.mark.parametrize(
    "dtype, value, lost",
    [
        ("int64", [1.0, 2.5, 3.5], "2.5"),
        ("float16", [1.0, 1e9, 1e12], r"1000000000.0"),
        ("int8", [[300]], "300"),
    ],
)
def test_the_first_value_that_a_weight_cannot_hold_is_named(dtype, value, lost):
    variable = tf.Variable(np.zeros(np.shape(value)), dtype=dtype, use_resource=True)
    with pytest.raises(ValueError, match="cannot hold %s" % lost):
        check_weights([variable], [value])


GOOD = {"iterations": np.int64(1), "velocity": np.ones((2, 3), "float32")}
WRONG_WEIGHTS = {
    "too few": ([1], "Length of the specified weight list"),
    "too many": ([1, GOOD["velocity"], GOOD["velocity"]], "Length of the specified weight list"),
    "none": ([], "Length of the specified weight list"),
    "wrong shape": ([1, np.ones((3, 2))], r"shape \(2, 3\) not compatible.*Variable:0"),
    "wrong shape of iterations": ([[1, 2], GOOD["velocity"]], "SGD/iterations:0"),
    "words": ([1, [["a", "b", "c"]] * 2], "dtype float32 not compatible.*Variable:0"),
    "complex": ([1, GOOD["velocity"] * 1j], "dtype float32 not compatible"),
    "None": ([1, None], "Optimizer weight shape"),
    "ragged": ([1, [[1, 2, 3], [4, 5]]], "Optimizer weight shape"),
    "half an iteration": ([1.5, GOOD["velocity"]], "SGD/iterations:0 cannot hold 1.5"),
    "iterations that are no number": ([np.nan, GOOD["velocity"]], "cannot hold nan"),
    "too large for float32": (
        [1, GOOD["velocity"].astype("float64") * 1e300],
        "Variable:0 cannot hold",
    ),
}


@pytest.mark.parametrize("name", sorted(WRONG_WEIGHTS))
def test_wrong_weights_are_refused_by_name_and_nothing_is_written(name):
    optimizer = trained("SGD")
    before = arrays(optimizer.get_weights())
    wrong, words = WRONG_WEIGHTS[name]
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=words):
        optimizer.set_weights(wrong)
    same_bits(before, arrays(optimizer.get_weights()))


def test_a_fault_in_the_last_weight_leaves_the_first_unwritten():
    optimizer = trained("Nadam")
    weights = optimizer.get_weights()
    before = arrays(weights)
    with pytest.raises(ValueError):
        optimizer.set_weights([weight + 1 for weight in weights[:-1]] + [np.ones((3, 2))])
    same_bits(before, arrays(optimizer.get_weights()))


def test_before_get_updates_there_are_no_weights_and_the_error_says_what_to_do():
    optimizer = keras_optimizers.SGD()
    assert optimizer.get_weights() == []
    with pytest.raises(ValueError, match="call `get_updates`"):
        optimizer.set_weights([1])


def test_a_session_of_another_graph_is_refused():
    optimizer = trained("SGD")
    other = tf.Session(graph=tf.Graph())
    with other.as_default(), pytest.raises(ValueError, match="in another graph"):
        optimizer.get_weights()


def test_the_session_of_the_optimizers_own_graph_is_used_whatever_the_default_graph_is():
    optimizer = trained("SGD")
    with tf.Graph().as_default():
        assert optimizer.get_weights()[0] == 3
        optimizer.set_weights([9, np.zeros((2, 3))])
        assert optimizer.get_weights()[0] == 9


def test_parameters_without_elements_are_trained_like_others():
    variable = K.variable(np.ones((0, 3), "float32"))
    optimizer = configured("Adam")
    updates = optimizer.get_updates(tf.reduce_sum(variable), [variable])
    K.get_session().run(updates)
    assert optimizer.get_weights()[1].shape == (0, 3)
