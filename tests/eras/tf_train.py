"""tf.train's optimizers on the same problem, in TensorFlow 1.15, with a raw session."""

import numpy as np
import problem


def make(tf, class_name, arguments, step):
    """The tf.train optimizer for r1.10's arguments."""
    train = tf.compat.v1.train
    usual = {"Adagrad": 0.01, "RMSprop": 0.001, "Adadelta": 1.0, "Adam": 0.001}
    lr = arguments.get("lr", usual.get(class_name))
    epsilon = arguments.get("epsilon", 1e-7)
    if arguments.get("decay"):
        lr = train.inverse_time_decay(lr, step, 1, arguments["decay"])
    if class_name == "SGD" and arguments.get("momentum"):
        nesterov = arguments.get("nesterov", False)
        return train.MomentumOptimizer(lr, arguments["momentum"], use_nesterov=nesterov)
    return {
        "SGD": lambda: train.GradientDescentOptimizer(lr),
        "Adagrad": lambda: train.AdagradOptimizer(lr, initial_accumulator_value=1e-10),
        "RMSprop": lambda: train.RMSPropOptimizer(lr, epsilon=epsilon),
        "Adadelta": lambda: train.AdadeltaOptimizer(lr, epsilon=epsilon),
        "Adam": lambda: train.AdamOptimizer(lr, epsilon=epsilon),
    }[class_name]()


def write(case, path):
    """Train 20 steps, save, 10 more; the arrays."""
    session, model, run, saver, kind, slots = build(case)
    with session.as_default():
        for step, (inputs, labels) in enumerate(problem.batches(kind)):
            if step == problem.SAVE_AFTER:
                saver.save(session, path, write_meta_graph=False)
                saved, state = problem.layer_weights(model), session.run(slots)
            run(inputs, labels)
        final = problem.layer_weights(model)
    arrays = {"saved_%d" % i: value for i, value in enumerate(saved)}
    arrays.update(("state_%d" % i, value) for i, value in enumerate(state))
    arrays.update(("final_%d" % i, value) for i, value in enumerate(final))
    return arrays


def go_on(case, path, options):
    """Restore, train the last 10 steps; what was loaded, and the values at the end.

    Arguments:
        options: the optimizer's arguments that the migration reported.
    """
    session, model, run, saver, kind, slots = build(case, options)
    with session.as_default():
        saver.restore(session, path)
        state = session.run(slots)
        for step, (inputs, labels) in enumerate(problem.batches(kind)):
            if step >= problem.SAVE_AFTER:
                run(inputs, labels)
        return state, problem.layer_weights(model)


def build(case, options=None):
    """Session, model, a function that trains on a batch, a Saver, kind, slots."""
    import tensorflow as tf

    class_name, arguments, kind = problem.ALL_CASES[case]
    arguments = dict(arguments, **(options or {}))
    keras = tf.keras
    keras.backend.clear_session()
    keras.backend.set_learning_phase(1)
    model = problem.build(keras, kind)
    labels = keras.backend.placeholder((None, 3))
    loss = tf.reduce_mean(keras.losses.categorical_crossentropy(labels, model.output))
    step = tf.compat.v1.train.get_or_create_global_step()
    gradients = tf.gradients(loss, model.trainable_weights)
    optimizer = make(tf, class_name, arguments, step)
    # All gradients are computed before a parameter is written.
    with tf.control_dependencies(gradients):
        gradients = [tf.identity(gradient) for gradient in gradients]
        pairs = list(zip(gradients, model.trainable_weights))
        minimize = optimizer.apply_gradients(pairs, global_step=step)
    updates = [minimize] + list(model.updates)
    session = keras.backend.get_session()
    fresh = [step] + optimizer.variables()
    session.run(tf.compat.v1.variables_initializer(fresh))
    saver = tf.compat.v1.train.Saver()
    keras.backend.set_learning_phase(0)

    def run(inputs, batch_labels):
        listed = inputs if isinstance(inputs, list) else [inputs]
        feed = dict(zip(model.inputs, listed))
        feed[labels] = batch_labels
        session.run(updates, feed)

    values = [np.asarray(value) for value in problem.layer_weights(model)]
    assert values
    names = optimizer.get_slot_names()
    if class_name == "RMSprop":
        names.remove("momentum")  # nothing reads it without momentum, and Keras has no such slot
    slots = [optimizer.get_slot(v, name) for name in names for v in model.trainable_weights]
    return session, model, run, saver, kind, slots
