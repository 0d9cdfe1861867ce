"""An optimizer in a graph or a session that is not its own: errors that say what to do."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.training import CLASS_NAMES, configured, same_bits


def model():
    """(variable, loss) in the current graph."""
    variable = tf.get_variable("variable", initializer=[2.0, 1.0], use_resource=True)
    return variable, tf.reduce_sum(tf.square(variable))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_global_step_of_the_right_graph_does_not_hide_hyperparameters_of_another(class_name):
    optimizer = configured(class_name)
    with tf.Graph().as_default() as graph:
        optimizer.iterations = tf.train.get_or_create_global_step()
        variable, loss = model()
        before = len(graph.get_operations())
        with pytest.raises(ValueError, match=r"Make the optimizer in the parameter's graph"):
            optimizer.get_updates(loss, [variable])
        assert len(graph.get_operations()) == before


def test_updates_are_refused_where_another_graph_is_current():
    graph = tf.Graph()
    with graph.as_default():
        optimizer = keras_optimizers.Adam()
        variable, loss = model()
    remedy = r"variable:0 is not an element of this graph.*with loss\.graph\.as_default"
    with pytest.raises(ValueError, match=remedy):
        optimizer.get_updates(loss, [variable])
    with loss.graph.as_default():
        assert optimizer.get_updates(loss, [variable])


def test_a_loss_of_another_graph_is_refused_by_its_name():
    with tf.Graph().as_default():
        loss = tf.constant(1.0, name="elsewhere")
    variable, _ = model()
    with pytest.raises(ValueError, match=r"elsewhere:0.*another graph"):
        keras_optimizers.Adam().get_updates(loss, [variable])


def test_two_sessions_of_one_graph_have_states_of_their_own():
    optimizer = keras_optimizers.Adam()
    variable, loss = model()
    step = tf.group(*optimizer.get_updates(loss, [variable]))
    sessions = [tf.Session(), tf.Session()]
    for session, count in zip(sessions, (1, 3)):
        session.run(tf.global_variables_initializer())
        for _ in range(count):
            session.run(step)
    with sessions[1].as_default():
        weights = optimizer.get_weights()
    with sessions[0].as_default():
        assert optimizer.get_weights()[0] == 1
        optimizer.set_weights(weights)
        assert optimizer.get_weights()[0] == 3
    for session in sessions:
        session.close()


def test_a_session_without_values_is_named_as_the_reason():
    optimizer = keras_optimizers.Adam()
    variable, loss = model()
    step = tf.group(*optimizer.get_updates(loss, [variable]))
    with tf.Session() as trains:
        trains.run(tf.global_variables_initializer())
        trains.run(step)
        weights = optimizer.get_weights()
    for use in (optimizer.get_weights, optimizer.get_config):
        with tf.Session(), pytest.raises(tf.errors.FailedPreconditionError) as caught:
            use()
        assert "no value in this session" in caught.value.message
        assert "global_variables_initializer" in caught.value.message
    with tf.Session():  # writing needs no values
        optimizer.set_weights(weights)
        for one, other in zip(weights, optimizer.get_weights()):
            np.testing.assert_array_equal(one, other)


@pytest.fixture
def newer_control_flow():
    """Bodies of conditions and loops are functions: graphs of their own, inside the model's."""
    was_on = tf.control_flow_v2_enabled()
    tf.enable_control_flow_v2()
    yield
    if not was_on:
        tf.disable_control_flow_v2()


@pytest.mark.usefixtures("newer_control_flow")
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_updates_in_the_function_of_a_condition_train_only_when_it_holds(class_name):
    optimizer = configured(class_name)
    wanted = tf.placeholder(tf.bool, [])
    variable, _ = model()

    def step():
        loss = tf.reduce_sum(tf.square(variable))
        with tf.control_dependencies(optimizer.get_updates(loss, [variable])):
            return tf.constant(1)

    step_or_not = tf.cond(wanted, step, lambda: tf.constant(0))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for truth, count in ((False, 0), (True, 1)):
            session.run(step_or_not, {wanted: truth})
            assert session.run(optimizer.iterations) == count
            assert np.all(session.run(variable) != [2.0, 1.0]) == truth


@pytest.mark.usefixtures("newer_control_flow")
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_loop_whose_body_is_a_function_makes_the_steps_of_a_loop_around_it(class_name):
    results = []
    for inside in (True, False):
        with tf.Graph().as_default(), tf.Session() as session:
            optimizer = configured(class_name)
            variable, _ = model()

            def body(index, optimizer=optimizer, variable=variable):
                loss = tf.reduce_sum(tf.square(variable))
                with tf.control_dependencies(optimizer.get_updates(loss, [variable])):
                    return index + 1

            if inside:
                steps = tf.while_loop(lambda index: index < 4, body, [tf.constant(0)])
            else:
                steps = body(tf.constant(0))
            session.run(tf.global_variables_initializer())
            for _ in range(1 if inside else 4):
                session.run(steps)
            results.append(session.run([variable, *optimizer.weights, optimizer.iterations]))
    same_bits(*([np.asarray(one) for one in result] for result in results))
