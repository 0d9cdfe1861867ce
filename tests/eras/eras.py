"""How each era makes an optimizer and a session: the differences between the real packages."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import ordered
import problem

ROOT = os.path.dirname(os.path.dirname(problem.FOLDER))
# Of a graph in which one run of a step reads and writes without order.
_RACING = ("r1.10", "1.15-v1", "keras-2.3")


def keras_of(era):
    """The Keras module in which an era's models live."""
    if problem.ERAS[era].package == "keras":
        import keras

        return keras
    import tensorflow as tf

    return tf.keras


def clear(era):
    """A fresh graph and session."""
    if problem.ERAS[era].generation == "ours":
        import tensorflow.compat.v1 as tf

        tf.disable_v2_behavior()  # ours train graphs; TensorFlow 1 changes nothing by this
    keras_of(era).backend.clear_session()


def optimizer(era, class_name, arguments):
    """An era's optimizer, or its name, with r1.10's arguments and those of CASES."""
    arguments = dict(arguments)
    arguments.pop("untrained", None)
    generation = problem.ERAS[era].generation
    if arguments.pop("by_name", False):
        return class_name.lower()
    if generation == "r1.10":
        return getattr(keras_of(era).optimizers, class_name)(**arguments)
    if generation == "1.15-v1":
        from tensorflow.python.keras import optimizers

        return getattr(optimizers, class_name)(**arguments)
    if generation == "ours":
        sys.path.insert(0, ROOT)
        import keras_optimizers

        return getattr(keras_optimizers, class_name)(**arguments)
    return _with_learning_rate(era, generation, class_name, arguments)


def _with_learning_rate(era, generation, class_name, arguments):
    optimizers = keras_of(era).optimizers
    arguments.setdefault("lr", {"Adagrad": 0.01, "Adadelta": 1.0}.get(class_name))
    if arguments["lr"] is None:
        arguments["lr"] = {"Adamax": 0.002, "Nadam": 0.002}.get(class_name, 0.001)
    rate = arguments["learning_rate"] = arguments.pop("lr")
    if class_name != "SGD":
        arguments.setdefault("epsilon", 1e-7)
    if generation == "keras-2.3":
        return getattr(optimizers, class_name)(**arguments)
    if "schedule" in arguments:
        schedule, options = arguments.pop("schedule")
        if "values" not in options:
            options = dict(options, initial_learning_rate=rate)
        arguments["learning_rate"] = getattr(optimizers.schedules, schedule)(**options)
    scaled = arguments.pop("loss_scale", False)
    if generation == "optimizer-v2":
        optimizers = getattr(optimizers, "legacy", optimizers)
    else:
        if arguments.get("decay"):
            arguments["learning_rate"] = optimizers.schedules.InverseTimeDecay(
                rate, 1, arguments["decay"]
            )
        arguments.pop("decay", None)
        if not hasattr(optimizers, class_name) or era.endswith("2.11"):
            optimizers = getattr(optimizers, "experimental", optimizers)  # AdamW's place in 2.11
    made = getattr(optimizers, class_name)(**arguments)
    return _loss_scaled(era, made) if scaled else made


def _loss_scaled(era, inner):
    """An optimizer as `mixed_float16` wraps it."""
    keras = keras_of(era)
    place = keras.mixed_precision if hasattr(keras, "mixed_precision") else keras.optimizers
    place = place if hasattr(place, "LossScaleOptimizer") else keras.optimizers
    return place.LossScaleOptimizer(inner)


def put_in_order(era, model):
    """Remove upstream's races from the model's training function."""
    if problem.ERAS[era].generation not in _RACING:
        return
    model = _inner_model(model)
    model._make_train_function()
    variables = list(model.weights) + list(model.optimizer.weights) + [model.optimizer.iterations]
    schedule = getattr(model.optimizer, "m_schedule", None)
    if schedule is not None:
        variables.append(schedule)
    # Keras 2.3 and 1.15 list some of them twice; hashing a variable is not safe everywhere.
    distinct = list({id(variable): variable for variable in variables}.values())
    ordered.order_reads_before_writes(distinct, model.train_function)
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


def _inner_model(model):
    """Before Keras 2.2 a Sequential model trains a functional one that it holds."""
    return getattr(model, "model", model)


def compile_model(era, model, class_name, arguments):
    """Compile for an era; the races are gone."""
    made = optimizer(era, class_name, arguments)
    model.compile(made, loss="categorical_crossentropy")
    put_in_order(era, model)
    return model


def inner_optimizer(model):
    """The model's optimizer, without what scales its loss."""
    made = model.optimizer
    return getattr(made, "inner_optimizer", getattr(made, "_optimizer", made))


def state_arrays(model):
    """What the optimizer itself shows of its state."""
    try:
        return [np.asarray(value) for value in model.optimizer.get_weights()]
    except (AttributeError, NotImplementedError):  # the new classes have no such method, or refuse
        variables = inner_optimizer(model).variables
        variables = variables() if callable(variables) else variables
        return [np.asarray(variable) for variable in variables]


# Roles of the slots, by the names that OptimizerState has for them. The old classes have a group
# of slots for each, one after the other, in the order of the parameters that they were given.
_OLD_ROLES = {
    "SGD": ["velocity"],
    "RMSprop": ["mean_square"],
    "Adagrad": ["sum_of_squares"],
    "Adadelta": ["mean_square_gradient", "mean_square_step"],
    "Adam": ["first_moment", "second_moment", "largest_second_moment"],
    "Adamax": ["first_moment", "infinity_norm"],
    "Nadam": ["first_moment", "second_moment"],
}
# OptimizerV2's own names of them: `get_slot(variable, name)`.
_SLOT_NAMES = {
    "SGD": {"velocity": "momentum"},
    "RMSprop": {"mean_square": "rms", "momentum": "momentum", "mean_gradient": "mg"},
    "Adagrad": {"sum_of_squares": "accumulator"},
    "Adadelta": {"mean_square_gradient": "accum_grad", "mean_square_step": "accum_var"},
    "Adam": {"first_moment": "m", "second_moment": "v", "largest_second_moment": "vhat"},
    "Adamax": {"first_moment": "m", "infinity_norm": "v"},
    "Nadam": {"first_moment": "m", "second_moment": "v"},
}
# The new classes have an attribute a role, with a list; releases differ in the names.
_ATTRIBUTES = {
    "SGD": {"velocity": ["momentums"]},
    "RMSprop": {
        "mean_square": ["_velocities"],
        "momentum": ["_momentums"],
        "mean_gradient": ["_average_gradients"],
    },
    "Adagrad": {"sum_of_squares": ["_accumulators"]},
    "Adadelta": {
        "mean_square_gradient": ["_accumulated_grads"],
        "mean_square_step": ["_accumulated_delta_vars"],
    },
    "Adam": {
        "first_moment": ["_momentums"],
        "second_moment": ["_velocities"],
        "largest_second_moment": ["_velocity_hats"],
    },
    "Adamax": {"first_moment": ["_m"], "infinity_norm": ["_u"]},
    "Nadam": {"first_moment": ["_momentums"], "second_moment": ["_velocities"]},
}
_AVERAGES = "_model_variables_moving_average"


def slots(era, model):
    """{(role, index in `layer_variables`): array}, as the live optimizer knows whose they are.

    Not by any order in a file: by the objects that the package itself holds.
    """
    made, generation = inner_optimizer(model), problem.ERAS[era].generation
    class_name = type(made).__name__.replace("AdamW", "Adam")
    places = {_identity(v): i for i, v in enumerate(problem.layer_variables(model))}
    if generation == "optimizer-v2":
        found = _slots_by_name(made, class_name, model)
    elif generation in ("tf-2.11", "keras-3"):
        found = _slots_by_attribute(made, class_name, model)
    else:
        found = _slots_by_group(made, class_name, model)
    values = _values(era, [slot for _, _, slot in found])
    return {(role, places[_identity(v)]): value for (role, v, _), value in zip(found, values)}


def _identity(variable):
    """Of Keras 3's variables and the backend's alike."""
    return id(getattr(variable, "value", variable)) if _is_keras_3(variable) else id(variable)


def _is_keras_3(variable):
    return type(variable).__module__.startswith("keras.src.backend")


def _slots_by_group(made, class_name, model):
    parameters = _inner_model(model)._collected_trainable_weights
    roles = _OLD_ROLES[class_name]
    size = len(parameters)
    # Before the groups stand scalars, which differ; Adam before AMSGrad has one group less.
    weights = [weight for weight in made.weights if _shape(weight) != ()]
    groups = [weights[start : start + size] for start in range(0, len(weights), size)]
    return [
        (role, parameter, slot)
        for role, group in zip(roles, groups)
        for parameter, slot in zip(parameters, group)
        if _shape(slot) == _shape(parameter)  # else a stand-in
    ]


def _shape(variable):
    return tuple(int(length) for length in variable.shape)


def _slots_by_name(made, class_name, model):
    known = made.get_slot_names()
    return [
        (role, parameter, made.get_slot(parameter, name))
        for role, name in _SLOT_NAMES[class_name].items()
        if name in known
        for parameter in model.trainable_weights
    ]


def _slots_by_attribute(made, class_name, model):
    found = []
    attributes = dict(_ATTRIBUTES[class_name], average=[_AVERAGES])
    for role, names in attributes.items():
        group = [getattr(made, name) for name in names if getattr(made, name, None)]
        for variable, slot in zip(model.trainable_variables, group[0] if group else []):
            if _shape(slot) == _shape(variable):
                found.append((role, variable, slot))
    return found


def _values(era, variables):
    if not variables:
        return []
    if hasattr(variables[0], "numpy") and problem.ERAS[era].generation not in _RACING:
        try:
            return [np.asarray(variable.numpy()) for variable in variables]
        except (NotImplementedError, AttributeError):
            pass  # a graph
    return keras_of(era).backend.batch_get_value(variables)
