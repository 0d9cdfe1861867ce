"""How each era makes an optimizer and a session: the differences between the real packages."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import ordered
import problem

ROOT = os.path.dirname(os.path.dirname(problem.FOLDER))


def keras_of(era):
    """The Keras module in which an era's models live."""
    if era.startswith("keras-2"):
        import keras

        return keras
    if era.startswith("keras-3"):
        import keras

        return keras
    import tensorflow as tf

    return tf.keras


def clear(era):
    """A fresh graph and session."""
    keras_of(era).backend.clear_session()


def optimizer(era, class_name, arguments):
    """An era's optimizer with r1.10's arguments."""
    arguments = dict(arguments)
    if era in ("tf-keras-1.10", "keras-2.2", "saver-1.10"):
        return getattr(keras_of(era).optimizers, class_name)(**arguments)
    if era in ("tf-keras-1.15-v1", "saver-1.15-v1"):
        from tensorflow.python.keras import optimizers

        return getattr(optimizers, class_name)(**arguments)
    if era in ("ours", "saver-ours"):
        sys.path.insert(0, ROOT)
        import keras_optimizers

        return getattr(keras_optimizers, class_name)(**arguments)
    arguments.setdefault("lr", {"Adagrad": 0.01, "Adadelta": 1.0}.get(class_name))
    if arguments["lr"] is None:
        arguments["lr"] = {"Adamax": 0.002, "Nadam": 0.002}.get(class_name, 0.001)
    arguments["learning_rate"] = arguments.pop("lr")
    if class_name != "SGD":
        arguments.setdefault("epsilon", 1e-7)
    if era == "keras-2.3":
        return getattr(keras_of(era).optimizers, class_name)(**arguments)
    if era in problem.NEW_OPTIMIZERS:
        optimizers = keras_of(era).optimizers
        if arguments.get("decay"):
            arguments["learning_rate"] = optimizers.schedules.InverseTimeDecay(
                arguments["learning_rate"], 1, arguments["decay"]
            )
        arguments.pop("decay", None)
        return getattr(optimizers, class_name)(**arguments)
    optimizers = keras_of(era).optimizers
    optimizers = getattr(optimizers, "legacy", optimizers)
    return getattr(optimizers, class_name)(**arguments)


def put_in_order(era, model):
    """Remove upstream's races from the model's training function."""
    if era in problem.NEW_OPTIMIZERS or "2.15" in era or era in ("ours", "saver-ours"):
        return
    if "optimizer-v2" in era or era.startswith("object"):
        return
    model._make_train_function()
    variables = list(model.weights) + list(model.optimizer.weights) + [model.optimizer.iterations]
    schedule = getattr(model.optimizer, "m_schedule", None)
    if schedule is not None:
        variables.append(schedule)
    # Keras 2.3 and 1.15 list some of them twice; hashing a variable is not safe everywhere.
    distinct = list({id(variable): variable for variable in variables}.values())
    ordered.order_reads_before_writes(distinct)
    # A session does not see what changes in ops that it has already taken over: a new one does.
    import tensorflow as tf

    backend = keras_of(era).backend
    values = backend.get_session().run(distinct)
    backend.get_session().close()
    backend.set_session(tf.Session())
    session = backend.get_session()
    session.run(tf.global_variables_initializer())
    for variable in tf.global_variables():
        variable._keras_initialized = True
    for variable, value in zip(distinct, values):
        session.run(variable.initializer, {variable.initializer.inputs[1]: value})


def compile_model(era, model, class_name, arguments):
    """Compile for an era; the races are gone."""
    made = optimizer(era, class_name, arguments)
    model.compile(made, "categorical_crossentropy")
    put_in_order(era, model)
    return model


def state_arrays(model):
    """What the optimizer itself shows of its state."""
    shown = getattr(model.optimizer, "get_weights", None)
    if shown is None:
        return [np.asarray(variable) for variable in model.optimizer.variables]
    try:
        return [np.asarray(value) for value in shown()]
    except (AttributeError, NotImplementedError):
        variables = model.optimizer.variables
        variables = variables() if callable(variables) else variables
        return [variable.numpy() for variable in variables]
