"""Raw sessions of TensorFlow 1.x: all kinds of variables, sessions, graphs and losses."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import keras_optimizers
from tests.recorded.ordering import order_reads_before_writes
from tests.training import CLASS_NAMES, K, configured, same_bits, scalars_of, upstream

SHAPES = [(3, 4), (4,), (4, 2)]


def values(seed=1):
    random = np.random.RandomState(seed)
    return [random.standard_normal(shape).astype("float32") for shape in SHAPES]


def batches(count=5):
    random = np.random.RandomState(2)
    return [random.standard_normal((6, 3)).astype("float32") for _ in range(count)]


def make_variables(resource):
    return [
        tf.get_variable("variable_%d" % index, initializer=value, use_resource=resource)
        for index, value in enumerate(values())
    ]


def loss_of(variables):
    """(placeholder, loss)."""
    inputs = tf.placeholder(tf.float32, (None, 3))
    hidden = tf.tanh(tf.matmul(inputs, variables[0]) + variables[1])
    return inputs, tf.reduce_mean(tf.square(tf.matmul(hidden, variables[2])))


def trained(class_name, module, resource, **options):
    """Parameters and weights after some steps in a graph of its own."""
    with tf.Graph().as_default():
        optimizer = configured(class_name, module, **options)
        variables = make_variables(resource)
        inputs, loss = loss_of(variables)
        updates = optimizer.get_updates(loss, variables)
        if module is upstream:
            updates = [tf.assign(*op) if isinstance(op, tuple) else op for op in updates]
            order_reads_before_writes(scalars_of(optimizer) + variables * resource)
        step = tf.group(*updates)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for batch in batches():
                session.run(step, {inputs: batch})
            return session.run(variables + list(optimizer.weights))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_ref_and_resource_variables_get_upstream_s_bits(class_name):
    expected = trained(class_name, upstream, True)
    same_bits(expected, trained(class_name, keras_optimizers, True))
    same_bits(expected, trained(class_name, keras_optimizers, False))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_fused_trains_ref_variables_with_the_default_s_bits(class_name):
    expected = trained(class_name, keras_optimizers, False)
    found = trained(class_name, keras_optimizers, False, fused=True)
    same_bits(expected[:3], found[:3])


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_partitioned_variable_trains_as_an_undivided_one(class_name, whole):
    results = []
    for partitioner in (None, tf.fixed_size_partitioner(2)):
        with tf.Graph().as_default(), tf.Session() as session:
            # Parts of 16: TensorFlow takes roots eight at a time, and a remainder otherwise.
            start = np.linspace(-1, 1, 32, dtype="float32").reshape(8, 4)
            variable = tf.get_variable(
                "divided",
                shape=(8, 4),
                initializer=lambda shape, dtype, partition_info, start=start: (
                    start[partition_info.var_offset[0] :][: shape[0]]
                    if partition_info
                    else tf.constant(start)
                ),
                partitioner=partitioner,
            )
            loss = tf.reduce_sum(tf.square(tf.convert_to_tensor(variable)))
            parameters = [variable] if whole or partitioner is None else list(variable)
            step = tf.group(*configured(class_name).get_updates(loss, parameters))
            session.run(tf.global_variables_initializer())
            for _ in range(3):
                session.run(step)
            results.append([session.run(tf.convert_to_tensor(variable))])
    same_bits(*results)


@pytest.mark.parametrize("resource", [True, False])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_lookups_in_ref_and_resource_tables_get_the_dense_bits(class_name, resource):
    results = []
    rows = [[0, 2, 2], [4, 0, 0]]
    for sparse in (True, False):
        with tf.Graph().as_default(), tf.Session() as session:
            start = np.linspace(-1, 1, 15, dtype="float32").reshape(5, 3)
            table = tf.get_variable("table", initializer=start, use_resource=resource)
            looked_up = tf.gather(table if sparse else tf.identity(table), rows)
            loss = tf.reduce_sum(tf.square(looked_up))
            step = tf.group(*configured(class_name).get_updates(loss, [table]))
            session.run(tf.global_variables_initializer())
            for _ in range(3):
                session.run(step)
            results.append([session.run(table)])
    same_bits(*results)


def graph_to_train(class_name, counts_global_step=True):
    """(inputs, step, variables, optimizer) in the current graph."""
    optimizer = configured(class_name)
    if counts_global_step:
        optimizer.iterations = tf.train.get_or_create_global_step()
    variables = make_variables(resource=True)
    inputs, loss = loss_of(variables)
    step = tf.group(*optimizer.get_updates(loss, variables))
    return inputs, step, variables, optimizer


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_monitored_session_that_was_stopped_goes_on_to_the_bit(class_name, tmp_path):
    def train(folder, last_step):
        with tf.Graph().as_default():
            inputs, step, _, optimizer = graph_to_train(class_name)
            hooks = [tf.train.StopAtStepHook(last_step=last_step)]
            with tf.train.MonitoredTrainingSession(
                checkpoint_dir=folder, hooks=hooks, save_checkpoint_steps=2, log_step_count_steps=0
            ) as session:
                while not session.should_stop():
                    done = session.run_step_fn(
                        lambda step_context: step_context.session.run(optimizer.iterations)
                    )
                    session.run(step, {inputs: batches(6)[done]})
        saved = tf.train.load_checkpoint(folder)
        names = sorted(saved.get_variable_to_shape_map())
        return [np.asarray(saved.get_tensor(name)) for name in names]

    expected = train(str(tmp_path / "one"), 6)
    train(str(tmp_path / "two"), 3)
    same_bits(expected, train(str(tmp_path / "two"), 6))


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_saver_files_go_both_ways_between_upstream_and_ours(class_name, tmp_path):
    path = str(tmp_path / "model")

    def session_with(module):
        optimizer = configured(class_name, module)
        variables = make_variables(resource=True)
        inputs, loss = loss_of(variables)
        updates = optimizer.get_updates(loss, variables)
        updates = [tf.assign(*op) if isinstance(op, tuple) else op for op in updates]
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        every = sorted(tf.global_variables(), key=lambda variable: variable.name)
        return session, lambda: session.run(updates, {inputs: batches(1)[0]}), every

    for writer, reader in [(upstream, keras_optimizers), (keras_optimizers, upstream)]:
        with tf.Graph().as_default():
            session, run, every = session_with(writer)
            run()
            tf.train.Saver().save(session, path)
            expected = session.run(every)
        with tf.Graph().as_default():
            session, run, every = session_with(reader)
            tf.train.Saver().restore(session, path)
            same_bits(expected, session.run(every))


def test_several_graphs_and_sessions_in_one_process_do_not_mix():
    graphs = [tf.Graph(), tf.Graph()]
    sessions, made = [], []
    for graph in graphs:
        with graph.as_default():
            made.append(graph_to_train("Adam", counts_global_step=False))
            sessions.append(tf.Session())
            sessions[-1].run(tf.global_variables_initializer())
    for index, batch in [(0, 0), (1, 0), (0, 1)]:
        inputs, step, _, _ = made[index]
        sessions[index].run(step, {inputs: batches()[batch]})
    for session, (_, _, _, optimizer), count in zip(sessions, made, (2, 1)):
        with session.as_default():
            assert optimizer.get_weights()[0] == count
            optimizer.set_weights(optimizer.get_weights())
    one, other = made[0][3], sessions[1]
    with sessions[0].as_default():
        of_one = one.get_weights()
    for use in (one.get_weights, one.get_config, lambda: one.set_weights(of_one)):
        with other.as_default(), pytest.raises(ValueError, match="another graph"):
            use()


def test_parameters_of_another_graph_than_the_optimizer_s_are_refused_with_the_remedy():
    optimizer = keras_optimizers.Adam()
    with tf.Graph().as_default():
        variables = make_variables(resource=True)
        _, loss = loss_of(variables)
        with pytest.raises(ValueError, match=r"another graph.*[Mm]ake the optimizer"):
            optimizer.get_updates(loss, variables)
    assert optimizer.weights == []


def test_a_finalized_graph_trains_and_its_weights_are_read_and_written():
    with tf.Graph().as_default() as graph, tf.Session() as session:
        inputs, step, _, optimizer = graph_to_train("Nadam", counts_global_step=False)
        session.run(tf.global_variables_initializer())
        graph.finalize()
        session.run(step, {inputs: batches()[0]})
        weights = optimizer.get_weights()
        optimizer.set_weights(weights)
        same_bits(weights, optimizer.get_weights())
        assert optimizer.get_config()["lr"] == np.float32(0.01)


def minimized(make_loss, around=None):
    """A variable after one step on a loss of control flow."""
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable("variable", initializer=2.0, use_resource=True)
        optimizer = keras_optimizers.SGD(lr=0.1, momentum=0.9)

        def updates():
            return tf.group(*optimizer.get_updates(make_loss(variable), [variable]))

        step = around(updates) if around else updates()
        session.run(tf.global_variables_initializer())
        session.run(step)
        assert session.run(optimizer.iterations) == 1
        return session.run(variable)


def cube(variable):
    loop = tf.while_loop(
        lambda index, product: index < 3,
        lambda index, product: (index + 1, product * variable),
        [tf.constant(0), tf.constant(1.0)],
    )
    return loop[1]


def test_losses_of_loops_and_conditions_train():
    assert minimized(cube) == pytest.approx(2.0 - 0.1 * 12)
    assert minimized(
        lambda variable: tf.cond(variable > 0, lambda: tf.square(variable), lambda: -variable)
    ) == pytest.approx(2.0 - 0.1 * 4)


@pytest.mark.parametrize("resource", [True, False])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_lookups_in_loops_and_conditions_get_upstream_s_bits(class_name, resource):
    results = []
    for module in (upstream, keras_optimizers):
        with tf.Graph().as_default(), tf.Session() as session:
            start = np.linspace(-1, 1, 15, dtype="float32").reshape(5, 3)
            table = tf.get_variable("table", initializer=start, use_resource=resource)
            first = tf.placeholder(tf.bool, [])

            def looked_up(rows, table=table):
                return tf.reduce_sum(tf.square(tf.gather(table, rows)))

            loop = tf.while_loop(
                lambda index, total: index < 3,
                lambda index, total, looked_up=looked_up: (
                    index + 1,
                    total + looked_up([index, 0]),
                ),
                [tf.constant(0), tf.constant(0.0)],
            )
            either = tf.cond(
                first,
                lambda looked_up=looked_up: looked_up([1, 0, 1]),
                lambda looked_up=looked_up: looked_up([4]),
            )
            optimizer = getattr(module, class_name)()  # without decay upstream does not race
            updates = optimizer.get_updates(loop[1] + either, [table])
            if module is upstream:
                updates = [tf.assign(*op) if isinstance(op, tuple) else op for op in updates]
                order_reads_before_writes(scalars_of(optimizer) + [table] * resource)
            session.run(tf.global_variables_initializer())
            for truth in (True, False, True):
                session.run(updates, {first: truth})
            results.append([session.run(table)])
    same_bits(*results)


def test_ref_and_resource_variables_train_side_by_side():
    results = []
    for kinds in ((True, True, True), (True, False, True), (False, True, False)):
        with tf.Graph().as_default(), tf.Session() as session:
            variables = [
                tf.get_variable("variable_%d" % index, initializer=value, use_resource=resource)
                for index, (value, resource) in enumerate(zip(values(), kinds))
            ]
            inputs, loss = loss_of(variables)
            step = tf.group(*configured("Nadam").get_updates(loss, variables))
            session.run(tf.global_variables_initializer())
            for batch in batches():
                session.run(step, {inputs: batch})
            results.append(session.run(variables))
    same_bits(results[0], results[1])
    same_bits(results[0], results[2])


@pytest.mark.parametrize(
    "around",
    [
        lambda updates: tf.cond(tf.constant(True), updates, tf.no_op),
        lambda updates: tf.while_loop(
            lambda index: index < 1,
            lambda index: tf.tuple([index + 1], control_inputs=[updates()]),
            [tf.constant(0)],
        ),
    ],
    ids=["cond", "while_loop"],
)
def test_updates_built_inside_control_flow_have_slots_outside_of_it(around):
    assert minimized(tf.square, around) == pytest.approx(2.0 - 0.1 * 4)


@pytest.mark.parametrize("resource", [True, False])
@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_loop_in_the_graph_makes_the_steps_of_a_loop_around_it(class_name, resource):
    results = []
    for inside in (True, False):
        with tf.Graph().as_default(), tf.Session() as session:
            start = np.asarray([2.0, 1.0], "float32")
            variable = tf.get_variable("variable", initializer=start, use_resource=resource)
            optimizer = configured(class_name)

            def step(optimizer=optimizer, variable=variable):
                return tf.group(*optimizer.get_updates(tf.reduce_sum(variable**2), [variable]))

            def body(index, step=step):
                with tf.control_dependencies([step()]):
                    return index + 1

            if inside:
                steps = tf.while_loop(lambda index: index < 4, body, [tf.constant(0)])
            else:
                steps = step()
            session.run(tf.global_variables_initializer())
            for _ in range(1 if inside else 4):
                session.run(steps)
            assert session.run(optimizer.iterations) == 4
            results.append(session.run([variable, *optimizer.weights]))
    same_bits(*results)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_a_rate_that_is_assigned_before_the_step_counts_in_it(class_name):
    moved = []
    for given in (0.01, 0.5):
        with tf.Graph().as_default(), tf.Session() as session:
            variable = tf.get_variable("variable", initializer=[2.0, 1.0], use_resource=True)
            optimizer = getattr(keras_optimizers, class_name)(lr=given)
            with tf.control_dependencies([optimizer.lr.assign(0.5)]):
                step = tf.group(*optimizer.get_updates(tf.reduce_sum(variable), [variable]))
            session.run(tf.global_variables_initializer())
            session.run(step)
            moved.append(session.run(variable))
    same_bits(*([one] for one in moved))


def test_scopes_of_names_variables_and_control_dependencies_do_no_harm():
    with tf.Graph().as_default(), tf.Session() as session:
        gate = tf.Variable(0.0)
        with tf.variable_scope("outer", use_resource=True), tf.name_scope("inner"):
            variable = tf.get_variable("variable", initializer=1.0)
            with tf.control_dependencies([gate.assign(1.0)]):
                optimizer = keras_optimizers.Adam()
                step = tf.group(*optimizer.get_updates(tf.square(variable), [variable]))
        session.run(tf.global_variables_initializer())
        assert session.run(gate) == 0.0
        session.run(step)
        assert session.run([gate, optimizer.iterations]) == [1.0, 1]


def test_an_uninitialized_slot_is_initialized_by_the_backend_session_alone():
    variable = K.variable(np.ones(2, "float32"))
    optimizer = keras_optimizers.Adagrad()
    optimizer.get_updates(tf.reduce_sum(tf.square(variable)), [variable])
    same_bits([np.zeros(2, "float32")], optimizer.get_weights())
