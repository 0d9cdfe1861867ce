"""What every era of Keras can express, and how it orders and names an optimizer's weights.

One table, so that a reader can compare the eras, and so that nothing about an era is hidden in
the code of a file format.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.mathematics import EXTENSION_ROLES, OPTIMIZERS

ALL = tuple(OPTIMIZERS)


class Layout(NamedTuple):
    """What one era's optimizers hold and compute.

    Attributes:
        name: as `--to` takes it.
        title: for people.
        learning_rate: its name in a config.
        counted: classes whose weights hold `iterations`.
        learning_rate_weight: whether the learning rate is a weight, after `iterations`, unless it
            is a schedule.
        momentum_product: where Nadam's `m_schedule` is among the weights: "first" (after
            those), "last", or "" for nowhere.
        idle_velocity: whether SGD without momentum has a velocity.
        stand_ins: whether Adam without AMSGrad has a third group of arrays of shape (1,).
        interleaved: roles that alternate for each parameter, by class; other roles are written
            one after the other.
        decay: "argument" (of every class but Nadam) or "schedule" (of the learning rate).
        schedules: whether the learning rate can be a schedule.
        epsilon_inside_root: classes that add epsilon to the square, before the root is taken.
        weight_decay: whether there is such an argument.
        extended_rmsprop: whether RMSprop knows `momentum` and `centered`.
        schedule_decay: Nadam's, where the era fixed it; None where it is an argument.
        clipping: the config's name by ours; what is not in it cannot be expressed.
        later_clipping: those that only later releases of the era know, with the release.
        roles: the era's own names of the roles, for the names of weights.
    """

    name: str
    title: str
    learning_rate: str = "lr"
    counted: Tuple[str, ...] = ALL
    learning_rate_weight: bool = False
    momentum_product: str = "first"
    idle_velocity: bool = True
    stand_ins: bool = True
    interleaved: Tuple[str, ...] = ()
    decay: str = "argument"
    schedules: bool = False
    epsilon_inside_root: Tuple[str, ...] = ()
    weight_decay: bool = False
    extended_rmsprop: bool = False
    schedule_decay: Optional[float] = None
    clipping: Dict[str, str] = {"clipnorm": "clipnorm", "clipvalue": "clipvalue"}
    later_clipping: Dict[str, str] = {}
    roles: Dict[str, str] = {}


_COUNTED = ("SGD", "Adam", "Adamax", "Nadam")
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

TF_KERAS_1_10 = Layout(
    "tf-keras-1.10",
    "tf.keras 1.4 to 1.13, HDF5",
    counted=_COUNTED,
    momentum_product="",
)
# What `model.save` writes with ours, made complete: ours take `iterations` where the original's
# lists leave it out.
KERAS_OPTIMIZERS = TF_KERAS_1_10._replace(
    name="keras-optimizers",
    title="this package in tf.keras 1.15, HDF5",
    counted=ALL,
    momentum_product="first",
    clipping=_BOTH,
)
KERAS_2_2 = Layout(
    "keras-2.2",
    "standalone Keras 2.0 to 2.2, HDF5",
    counted=_COUNTED,
    momentum_product="",
    clipping=_GLOBAL,
)
KERAS_2_3 = Layout(
    "keras-2.3",
    "standalone Keras 2.3, HDF5",
    learning_rate="learning_rate",
    clipping=_GLOBAL,
)
OPTIMIZER_V2 = Layout(
    "optimizer-v2",
    "tf.keras 1.14 to 2.10, and tf.keras.optimizers.legacy after that, HDF5",
    learning_rate="learning_rate",
    idle_velocity=False,
    stand_ins=False,
    interleaved=("RMSprop",),
    schedules=True,
    extended_rmsprop=True,
    clipping=_BOTH,
    later_clipping={"global_clipnorm": "TensorFlow 2.4 and later"},
    roles=_OPTIMIZER_V2_ROLES,
)
TF_KERAS_2_11 = Layout(
    "tf-keras-2.11",
    "tf.keras 2.11 to 2.15, HDF5",
    learning_rate="learning_rate",
    momentum_product="",
    stand_ins=False,
    interleaved=("Adadelta", "Adam", "Adamax", "Nadam"),
    decay="schedule",
    schedules=True,
    epsilon_inside_root=("RMSprop", "Adagrad"),
    weight_decay=True,
    extended_rmsprop=True,
    schedule_decay=1.0,
    clipping=_BOTH,
    roles=_KERAS_211_ROLES,
)
KERAS_3 = TF_KERAS_2_11._replace(
    name="keras-3",
    title="Keras 3, .keras, .weights.h5 and HDF5",
    learning_rate_weight=True,
    momentum_product="last",
    idle_velocity=False,
    roles=_KERAS_3_ROLES,
)

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


def layout_named(name: str) -> Layout:
    """The layout of that name.

    Raises:
        CheckpointError: If there is none.
    """
    if name not in LAYOUTS:
        raise CheckpointError(f"Unknown format {name!r}; there are: {', '.join(LAYOUTS)}.")
    return LAYOUTS[name]


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
    if class_name == "Adam" and not layout.stand_ins and not options.get("amsgrad"):
        names.remove("largest_second_moment")
    if class_name == "RMSprop" and layout.extended_rmsprop:
        names += [role for option, role in EXTENSION_ROLES.items() if options.get(option)]
    return names


def has_epsilon_inside(layout: Layout, class_name: str, options: Dict[str, Any]) -> bool:
    """Whether the era adds epsilon before it takes the root."""
    if layout is OPTIMIZER_V2 and class_name == "RMSprop":
        return bool(options.get("momentum"))  # another kernel there
    return class_name in layout.epsilon_inside_root
