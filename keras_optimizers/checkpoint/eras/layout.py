"""The fields of an era: what its optimizers hold and compute, and how files hold it."""

from typing import Any, Dict, NamedTuple, Optional, Tuple

from keras_optimizers.checkpoint.eras import dialects
from keras_optimizers.reference import OPTIMIZERS

# The classes of all eras.
ALL = tuple(OPTIMIZERS)


class Layout(NamedTuple):
    """What one era's optimizers hold and compute.

    Attributes:
        name: as `--to` takes it.
        title: for people.
        package: which Keras it is, "tf.keras" or "keras"; "" where it may be either.

    Attributes about the list of weights:
        counted: classes whose weights hold `iterations`.
        learning_rate_weight: whether the learning rate is a weight, after `iterations`, unless it
            is a schedule.
        momentum_product: where Nadam's `m_schedule` is among the weights: "first" (after
            those), "last", "apart" (beside the list), or "" for nowhere.
        idle_velocity: whether SGD without momentum has a velocity.
        amsgrad_placeholders: whether Adam without AMSGrad has a third group of arrays of shape
            (1,), which nothing reads.
        interleaved: classes whose roles alternate for each parameter; the roles of the others are
            written one after the other.
        ahead: options that put a further group of arrays before the slots, with what it holds.
        roles: the era's own names of the roles, for the names of weights.
        scalar_names: the names of the scalar weights, by ours; "" is the name of all others.
        slot_name: the names of the slots. Both are templates of `class_name`, `class_lower`,
            `scalar`, `parameter`, `flat_parameter` (with "_" for "/"), `role` (the era's name),
            `number` (of the slot among all) and `suffix` (`_number`, nothing for the first).
        optimizers: where the classes are, for people; said where objects are saved.
        slot_lists: by class and role, the attribute with the list of its slots, where objects are
            saved.

    Attributes about the mathematics:
        decay: "argument" (of every class but Nadam) or "schedule" (of the learning rate).
        schedules: whether the learning rate can be a schedule.
        epsilon_inside_root: classes that add epsilon to the square, before the root is taken.
        epsilon_inside_with_momentum: classes that do so only if they have a momentum.
        weight_decay: whether there is such an argument.
        extended_rmsprop: whether RMSprop knows `momentum` and `centered`.
        schedule_decay: Nadam's, where the era fixed it; None where it is an argument.
        touched_rows: classes that change the slots of an embedding's row only in steps whose
            batch looks the row up; the others decay all rows in every step.
        touched_rows_with_momentum: classes that do so only if they have a momentum.
        unsummed_rows: classes that square the gradient of each lookup by itself where a batch
            looks a row up more than once; the others sum first.
        clipping: the config's name by ours; what is not in it cannot be expressed.
        later_clipping: those that only later releases of the era know, with the release.

    Attributes about the config:
        defaults: by class, arguments whose defaults are not those of r1.10.
        learning_rate: its name.
        config_name: a template (of `class_name`, `class_lower`) of the argument `name`; "" where
            there is no such argument.
        unset_arguments: arguments of every class, with the values at which they do nothing.
        schedule_decay_names: under which names Nadam's is written.
        accumulator_argument: whether Adagrad takes an `initial_accumulator_value`.
        module: the `module` that a serialized optimizer names; "" where there is none.
        registers_classes: whether a serialized optimizer's `registered_name` is its class.

    Attributes about the file around it:
        keras_version: what a written file says about who wrote it; loaders go by it.
        dialect: how the era describes architectures, one of `dialects`.
        freezes_normalization: whether a BatchNormalization that is held fixed uses its moving
            averages in training; None where releases of the era differ.
        reads_older_architectures: whether it also reads what older eras wrote.
    """

    name: str
    title: str
    package: str = ""
    counted: Tuple[str, ...] = ALL
    learning_rate_weight: bool = False
    momentum_product: str = "first"
    idle_velocity: bool = True
    amsgrad_placeholders: bool = True
    interleaved: Tuple[str, ...] = ()
    ahead: Dict[str, str] = {}
    roles: Dict[str, str] = {}
    scalar_names: Dict[str, str] = {"": "{class_name}/{scalar}:0"}
    slot_name: str = "training/{class_name}/Variable{suffix}:0"
    slot_lists: Dict[str, Dict[str, str]] = {}
    optimizers: str = ""
    decay: str = "argument"
    schedules: bool = False
    epsilon_inside_root: Tuple[str, ...] = ()
    epsilon_inside_with_momentum: Tuple[str, ...] = ()
    weight_decay: bool = False
    extended_rmsprop: bool = False
    schedule_decay: Optional[float] = None
    touched_rows: Tuple[str, ...] = ()
    touched_rows_with_momentum: Tuple[str, ...] = ()
    unsummed_rows: Tuple[str, ...] = ()
    clipping: Dict[str, str] = {"clipnorm": "clipnorm", "clipvalue": "clipvalue"}
    later_clipping: Dict[str, str] = {}
    defaults: Dict[str, Dict[str, Any]] = {}
    learning_rate: str = "lr"
    config_name: str = ""
    unset_arguments: Dict[str, Any] = {}
    schedule_decay_names: Tuple[str, ...] = ("schedule_decay",)
    accumulator_argument: bool = False
    module: str = ""
    registers_classes: bool = False
    keras_version: str = ""
    dialect: str = dialects.KERAS_2
    freezes_normalization: Optional[bool] = None
    reads_older_architectures: bool = False
