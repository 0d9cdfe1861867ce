"""What every era of Keras can express, and how it orders and names an optimizer's weights.

Everything that one era does otherwise than another is a field of `Layout`. What single releases
within an era do otherwise is a field of `releases.Release`. No other module asks for an era by
its name. To add an era, add an entry here (see docs/add-an-era-or-a-format.md).
"""

from typing import Any, Dict, List, Optional

from keras_optimizers import changed_defaults, reference
from keras_optimizers.checkpoint.eras import dialects
from keras_optimizers.checkpoint.eras.layout import ALL, Layout
from keras_optimizers.checkpoint.mathematics import EXTENSION_ROLES
from keras_optimizers.reference import OPTIMIZERS

_LATER_DEFAULTS = {name: changed_defaults.of_optimizer_v2(name) for name in ALL}
_GLOBAL = {"global_clipnorm": "clipnorm", "clipvalue": "clipvalue"}
_BOTH = {name: name for name in ("clipnorm", "global_clipnorm", "clipvalue")}

_OPTIMIZER_V2_ROLES = {
    "velocity": "momentum",
    "mean_square": "rms",
    "mean_gradient": "mg",
    "momentum": "momentum",
    "sum_of_squares": "accumulator",
    "mean_square_gradient": "accum_grad",
    "mean_square_step": "accum_var",
    "first_moment": "m",
    "second_moment": "v",
    "infinity_norm": "v",
    "largest_second_moment": "vhat",
}
_KERAS_211_ROLES = {
    "velocity": "m",
    "mean_square": "velocity",
    "mean_gradient": "average_gradient",
    "momentum": "momentum",
    "sum_of_squares": "accumulator",
    "mean_square_gradient": "accumulated_grad",
    "mean_square_step": "accumulated_delta_var",
    "first_moment": "m",
    "second_moment": "v",
    "infinity_norm": "u",
    "largest_second_moment": "vhat",
}
_KERAS_3_ROLES = {
    "velocity": "momentum",
    "mean_square": "velocity",
    "mean_gradient": "average_gradient",
    "momentum": "momentum",
    "sum_of_squares": "accumulator",
    "mean_square_gradient": "accumulated_grad",
    "mean_square_step": "accumulated_delta_var",
    "first_moment": "momentum",
    "second_moment": "velocity",
    "infinity_norm": "norm",
    "largest_second_moment": "velocity_hat",
}

_UNSET_IN_TF_2_11: Dict[str, Any] = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "jit_compile": False,
    "is_legacy_optimizer": False,
}
_UNSET_IN_KERAS_3: Dict[str, Any] = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}

TF_KERAS_1_10 = Layout(
    "tf-keras-1.10",
    "tf.keras 1.4 to 1.13, HDF5",
    package="tf.keras",
    counted=reference.COUNTED,
    momentum_product="",
    keras_version="2.1.6-tf",
    freezes_normalization=False,
)
# What `model.save` writes with ours, made complete: ours take `iterations` where the original's
# lists leave it out.
KERAS_OPTIMIZERS = TF_KERAS_1_10._replace(
    name="keras-optimizers",
    title="this package in tf.keras 1.15, HDF5",
    counted=ALL,
    momentum_product="first",
    clipping=_BOTH,
    keras_version="2.2.4-tf",
    reads_older_architectures=True,
)
KERAS_2_2 = Layout(
    "keras-2.2",
    "standalone Keras 2.0 to 2.2, HDF5",
    package="keras",
    counted=reference.COUNTED,
    momentum_product="",
    clipping=_GLOBAL,
    keras_version="2.2.4",
)
KERAS_2_3 = Layout(
    "keras-2.3",
    "standalone Keras 2.3, HDF5",
    package="keras",
    slot_name="training/{class_name}/Variable_{number}:0",
    learning_rate="learning_rate",
    clipping=_GLOBAL,
    keras_version="2.3.1",
)
OPTIMIZER_V2 = Layout(
    "optimizer-v2",
    "tf.keras 1.14 to 2.10, and tf.keras.optimizers.legacy after that, HDF5",
    idle_velocity=False,
    amsgrad_placeholders=False,
    roles=_OPTIMIZER_V2_ROLES,
    scalar_names={
        "iterations": "training/{class_name}/iter:0",
        "m_schedule": "training/{class_name}/momentum_cache:0",
    },
    slot_name="training/{class_name}/{parameter}/{role}:0",
    schedules=True,
    epsilon_inside_with_momentum=("RMSprop",),  # another kernel there
    extended_rmsprop=True,
    touched_rows=("SGD", "Adadelta", "Adamax", "Nadam"),
    touched_rows_with_momentum=("RMSprop",),
    clipping=_BOTH,
    later_clipping={"global_clipnorm": "TensorFlow 2.4 and later"},
    learning_rate="learning_rate",
    defaults=_LATER_DEFAULTS,
    config_name="{class_name}",
    # It shows `decay` and, when a config is read, listens to the other name.
    schedule_decay_names=("decay", "schedule_decay"),
    accumulator_argument=True,
    keras_version="2.2.4-tf",
    reads_older_architectures=True,
)
TF_KERAS_2_11 = Layout(
    "tf-keras-2.11",
    "tf.keras 2.11 to 2.15, HDF5",
    momentum_product="",
    amsgrad_placeholders=False,
    interleaved=("Adadelta", "Adam", "Adamax", "Nadam"),
    ahead={
        "use_ema": "the moving averages of the parameters",
        "gradient_accumulation_steps": "the accumulated gradients",
    },
    roles=_KERAS_211_ROLES,
    scalar_names={"": "iteration:0"},
    slot_name="{class_name}/{role}/{parameter}:0",
    decay="schedule",
    schedules=True,
    epsilon_inside_root=("RMSprop", "Adagrad"),
    weight_decay=True,
    extended_rmsprop=True,
    schedule_decay=1.0,
    clipping=_BOTH,
    defaults=_LATER_DEFAULTS,
    learning_rate="learning_rate",
    config_name="{class_name}",
    unset_arguments=_UNSET_IN_TF_2_11,
    accumulator_argument=True,
    module="keras.optimizers",
    registers_classes=True,
    keras_version="2.15.0",
    dialect=dialects.TF_KERAS_2,
    freezes_normalization=True,
    reads_older_architectures=True,
)
KERAS_3 = TF_KERAS_2_11._replace(
    name="keras-3",
    title="Keras 3, .keras and .weights.h5",
    learning_rate_weight=True,
    momentum_product="last",
    unsummed_rows=("RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam"),
    idle_velocity=False,
    roles=_KERAS_3_ROLES,
    scalar_names={
        "": "{class_lower}/{scalar}",
        "iterations": "{class_lower}/iteration",
        "m_schedule": "{class_lower}/variable",
    },
    slot_name="{class_lower}/{flat_parameter}_{role}",
    config_name="{class_lower}",
    unset_arguments=_UNSET_IN_KERAS_3,
    registers_classes=False,
    keras_version="3.10.0",
    dialect=dialects.KERAS_3,
    reads_older_architectures=False,
)

# TensorFlow's own files.
SAVER = KERAS_OPTIMIZERS._replace(
    name="saver",
    package="",
    title="tf.train.Saver, of a graph with ours or with upstream's old classes",
)
TF_TRAIN = TF_KERAS_1_10._replace(
    name="saver-tf-train",
    title="tf.train.Saver, of a graph with tf.train optimizers",
    counted=ALL,
    idle_velocity=False,
    amsgrad_placeholders=False,
    epsilon_inside_root=("RMSprop",),
    extended_rmsprop=True,
    touched_rows=("SGD", "RMSprop", "Adadelta"),
    clipping={},
)
OBJECT_CHECKPOINT = OPTIMIZER_V2._replace(
    name="checkpoint",
    title="tf.train.Checkpoint or save_weights, with OptimizerV2",
    optimizers="tf.keras.optimizers of TensorFlow 1.14 to 2.10, or tf.keras.optimizers.legacy",
)
OBJECT_CHECKPOINT_OURS = KERAS_OPTIMIZERS._replace(
    name="checkpoint-ours", title="an estimator's object checkpoint, with this package's optimizers"
)
OBJECT_CHECKPOINT_2_11 = TF_KERAS_2_11._replace(
    name="checkpoint-2.11",
    title="tf.train.Checkpoint or save_weights, with tf.keras 2.11 to 2.15's new optimizers",
    momentum_product="apart",
    optimizers="tf.keras.optimizers of TensorFlow 2.11 to 2.15",
    slot_lists={
        "SGD": {"velocity": "momentums"},
        "RMSprop": {
            "mean_square": "_velocities",
            "momentum": "_momentums",
            "mean_gradient": "_average_gradients",
        },
        "Adagrad": {"sum_of_squares": "_accumulators"},
        "Adadelta": {
            "mean_square_gradient": "_accumulated_grads",
            "mean_square_step": "_accumulated_delta_vars",
        },
        "Adam": {
            "first_moment": "_momentums",
            "second_moment": "_velocities",
            "largest_second_moment": "_velocity_hats",
        },
        "Adamax": {"first_moment": "_m", "infinity_norm": "_u"},
        "Nadam": {"first_moment": "_momentums", "second_moment": "_velocities"},
    },
)

# The eras, that is, the formats in HDF5 and .keras.
LAYOUTS = {
    layout.name: layout
    for layout in (
        KERAS_OPTIMIZERS,
        TF_KERAS_1_10,
        KERAS_2_2,
        KERAS_2_3,
        OPTIMIZER_V2,
        TF_KERAS_2_11,
        KERAS_3,
    )
}


_ALL_LAYOUTS = dict(
    LAYOUTS,
    **{
        layout.name: layout
        for layout in (
            SAVER,
            TF_TRAIN,
            OBJECT_CHECKPOINT,
            OBJECT_CHECKPOINT_OURS,
            OBJECT_CHECKPOINT_2_11,
        )
    },
)


def defaults_of(name: str, class_name: str) -> Dict[str, Any]:
    """A class's defaults that are not r1.10's, in the layout of that name."""
    layout = _ALL_LAYOUTS.get(name)
    return {} if layout is None else dict(layout.defaults.get(class_name, {}))


def package_of(name: str) -> str:
    """Which Keras has the layout of that name: "tf.keras" or "keras"; "" where both may."""
    layout = _ALL_LAYOUTS.get(name)
    return "" if layout is None else layout.package


def freezes_normalization(name: str) -> Optional[bool]:
    """That field of the layout of that name; None where it is unknown."""
    layout = _ALL_LAYOUTS.get(name)
    return None if layout is None else layout.freezes_normalization


def treatment_of_rows(name: str, class_name: str, options: Dict[str, Any]) -> str:
    """How a layout treats an embedding's rows: "all", "touched" or "unsummed" (see `Layout`).

    Arguments:
        name: of the layout; one that is unknown is like r1.10.
    """
    layout = _ALL_LAYOUTS.get(name, KERAS_OPTIMIZERS)
    if class_name == "SGD" and not options.get("momentum"):
        return "all"  # there is no slot
    if class_name in layout.touched_rows:
        return "touched"
    if class_name in layout.touched_rows_with_momentum and options.get("momentum"):
        return "touched"
    return "unsummed" if class_name in layout.unsummed_rows else "all"


def scalars(layout: Layout, class_name: str, options: Dict[str, Any]) -> List[str]:
    """The scalars that the weights begin with, in their order."""
    names = ["iterations"] if class_name in layout.counted else []
    if layout.learning_rate_weight and not is_scheduled(layout, options):
        names.append("learning_rate")
    if class_name == "Nadam" and layout.momentum_product == "first":
        names.append("m_schedule")
    return names


def last_scalars(layout: Layout, class_name: str) -> List[str]:
    """The scalars that the weights end with."""
    last = class_name == "Nadam" and layout.momentum_product == "last"
    return ["m_schedule"] if last else []


def is_scheduled(layout: Layout, options: Dict[str, Any]) -> bool:
    """Whether the learning rate is a schedule in this layout."""
    if options.get("learning_rate_schedule") is not None:
        return True
    return layout.decay == "schedule" and bool(options.get("decay"))


def roles(layout: Layout, class_name: str, options: Dict[str, Any]) -> List[str]:
    """The roles among the weights for the hyperparameters `options`, in their order."""
    names = list(OPTIMIZERS[class_name].roles)
    if class_name == "SGD" and not layout.idle_velocity and not options.get("momentum"):
        names.remove("velocity")
    if class_name == "Adam" and not layout.amsgrad_placeholders and not options.get("amsgrad"):
        names.remove("largest_second_moment")
    if class_name == "RMSprop" and layout.extended_rmsprop:
        names += [role for option, role in EXTENSION_ROLES.items() if options.get(option)]
    return names


def groups_ahead(layout: Layout, options: Dict[str, Any]) -> List[str]:
    """What the groups of arrays between the scalars and the slots hold, in their order."""
    return [what for option, what in layout.ahead.items() if options.get(option)]


def has_epsilon_inside(layout: Layout, class_name: str, options: Dict[str, Any]) -> bool:
    """Whether the era adds epsilon before it takes the root."""
    if class_name in layout.epsilon_inside_with_momentum and options.get("momentum"):
        return True
    return class_name in layout.epsilon_inside_root


def scalar_name(layout: Layout, class_name: str, scalar: str) -> str:
    """The era's name of a scalar weight."""
    template = layout.scalar_names.get(scalar) or layout.scalar_names[""]
    return template.format(class_name=class_name, class_lower=class_name.lower(), scalar=scalar)


def slot_name(layout: Layout, class_name: str, role: str, parameter: str, number: int) -> str:
    """The era's name of a slot, the `number`th of all."""
    return layout.slot_name.format(
        class_name=class_name,
        class_lower=class_name.lower(),
        role=layout.roles.get(role, role),
        parameter=parameter,
        flat_parameter=parameter.replace("/", "_"),
        number=number,
        suffix=f"_{number}" if number else "",
    )
