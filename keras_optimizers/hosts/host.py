"""The Keras whose models an optimizer trains: its session, its precision, its habits.

An optimizer belongs to the host that was chosen when it was made; see `use_host`.
"""

from typing import Any, Dict, List, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_private import (
    KERAS,
    HostOptimizer,
    is_of_tf_keras,
    scoped_custom_objects,
    session_with_initialization,
    session_without_initialization,
)
from keras_optimizers.tensorflow_types import Session, Variable
from keras_optimizers.variables import is_variable


class Host:
    """`tf.keras` of TensorFlow 1.15; the base of the others.

    Attributes:
        name: what error messages call it.
        module_name: how scripts import it.
        keras: the module.
        optimizer_class: the only class, with its subclasses, that its `compile` accepts.
        renamed: its names of arguments, by r1.10's.
        clips_together: whether its `clipnorm` bounds the norm of all gradients together.
        counts_first: whether the weights of every optimizer begin with `iterations`.
        slot_names: its names of slots, by role.
    """

    name = module_name = "tf.keras"
    renamed: Dict[str, str] = {}
    clips_together = False
    counts_first = False
    slot_names: Dict[str, str] = {}

    def __init__(self, keras: Any, optimizer_class: type) -> None:
        self.keras = keras
        self.optimizer_class = optimizer_class

    def floatx(self) -> str:
        """The name of the precision of new variables."""
        return self.keras.backend.floatx()

    def epsilon(self) -> float:
        """The epsilon of optimizers that were given none."""
        return self.keras.backend.epsilon()

    def custom_objects(self) -> Dict[str, Any]:
        """What the host's users have registered, by name."""
        return dict(self.keras.utils.get_custom_objects(), **scoped_custom_objects())

    def owns(self, parameter: Variable) -> bool:
        """Whether this host, rather than another, may train `parameter`."""
        return not _is_of_standalone_keras(parameter)

    def check_parameters(self, parameters: Sequence[Variable]) -> None:
        """Refuse the variables of another host's layers.

        Raises:
            ValueError: If a parameter is another host's.
        """
        for parameter in parameters:
            if not self.owns(parameter):
                other = "tf.keras" if is_of_tf_keras(parameter) else "keras"
                other = "keras" if _is_of_standalone_keras(parameter) else other
                raise ValueError(
                    f"The parameter {parameter.name} is in a layer of `{other}`, and this "
                    f"optimizer was made for {self.name}. Make it for that host: "
                    f"`with keras_optimizers.use_host({other}):`."
                )

    # Configurations.

    def to_config(self, config: Dict[str, Any]) -> Dict[str, Any]:
        """A config with r1.10's names, in this host's."""
        return {self.renamed.get(name, name): value for name, value in config.items()}

    def from_config(self, config: Dict[str, Any]) -> Dict[str, Any]:
        """A config of this host with r1.10's names, and its meaning of `clipnorm` spelled out."""
        names = {own: name for name, own in self.renamed.items()}
        config = {names.get(name, name): value for name, value in config.items()}
        return self.clipping(config)

    def clipping(self, options: Dict[str, Any]) -> Dict[str, Any]:
        """Options with this host's meaning of `clipnorm` spelled out."""
        if not self.clips_together:
            return options
        return {"global_clipnorm" if n == "clipnorm" else n: v for n, v in options.items()}

    def slot_name(self, role: str, index: int) -> Any:
        """The name of the slot `role` of parameter number `index`; None where it has none."""
        name = self.slot_names.get(role)
        return None if name is None else f"{name}_{index}"

    # Values, through the host's session.

    def session(self, variables: Sequence[Variable]) -> Session:
        """The backend session for `variables`: the default session, else the host's own.

        The host initializes variables that have no value yet, unless the graph is finalized
        (then whoever finalized it has initialized them).

        Raises:
            ValueError: If that session runs another graph than the one that holds `variables`.
        """
        graph = variables[0].graph
        with graph.as_default():
            if graph.finalized:
                chosen = self._session_as_it_is(variables)
            else:
                default = tf.get_default_session()
                if default is not None and default.graph is not graph:
                    self._refuse_session(variables[0])
                chosen = self._session(variables)
        if chosen is None or chosen.graph is not graph:
            self._refuse_session(variables[0])
        return chosen

    def _session(self, variables: Sequence[Variable]) -> Session:
        return session_with_initialization(variables)

    def _session_as_it_is(self, variables: Sequence[Variable]) -> Any:
        return session_without_initialization(variables)

    def _refuse_session(self, example: Variable) -> None:
        raise ValueError(
            f"The variable {example.name} is in another graph than the current session's. Use a "
            "session of the graph in which the optimizer was built: `with session.as_default():`, "
            f"or `{self.module_name}.backend.set_session(session)`."
        )

    def get_values(self, variables: Sequence[Variable]) -> List[np.ndarray]:
        """The values of `variables`, read in one run; adds no op to the graph."""
        if not variables:
            return []
        session = self.session(variables)
        try:
            return session.run(list(variables))
        except tf.errors.FailedPreconditionError as error:
            raise tf.errors.FailedPreconditionError(
                error.node_def,
                error.op,
                f"{error.message}\nA variable of the optimizer has no value in this session. Each "
                "session has its own values: run `tf.global_variables_initializer()` in it, or "
                "restore a checkpoint, or use the session that trains: "
                "`with session.as_default():`.",
            ) from error

    def set_values(self, variables: Sequence[Variable], values: Sequence[np.ndarray]) -> None:
        """Write `values` in one run; adds no op to the graph.

        A variable's initializer is an assignment that exists already: fed with another value in
        place of the initial one it writes that value, even in a finalized graph.
        """
        pending = list(zip(variables, values))
        while pending:
            feeds: Dict[Any, np.ndarray] = {}
            initializers, later = [], []
            for target, value in pending:
                initial_value = target.initializer.inputs[1]
                key = initial_value.name
                if key in feeds:  # two variables share one initial value: a second run
                    later.append((target, value))
                    continue
                feeds[key] = value
                initializers.append(target.initializer)
            self.session(variables).run(initializers, feed_dict=feeds)
            pending = later

    def scalar_values(self, hyperparameters: Sequence[Any]) -> List[float]:
        """Hyperparameters (variables, tensors or plain numbers) as floats, read in one run."""
        symbolic = [v for v in hyperparameters if tf.is_tensor(v) or is_variable(v)]
        read = iter(self.get_values(symbolic))
        return [
            float(next(read)) if any(value is one for one in symbolic) else float(value)
            for value in hyperparameters
        ]


def _is_of_standalone_keras(parameter: Variable) -> bool:
    # Standalone Keras marks all that its `K.variable` makes.
    return hasattr(parameter, "_uses_learning_phase")


class StandaloneKeras(Host):
    """Keras 2.2: the package `keras`, which keeps a session of its own."""

    module_name = "keras"
    clips_together = True

    def __init__(self, keras: Any) -> None:
        super().__init__(keras, keras.optimizers.Optimizer)
        self.name = f"Keras {keras.__version__}"

    def owns(self, parameter: Variable) -> bool:
        """Whether the package `keras` made `parameter`, or no Keras did."""
        return _is_of_standalone_keras(parameter) or not is_of_tf_keras(parameter)

    def _session(self, variables: Sequence[Variable]) -> Session:
        return self.keras.backend.get_session()

    def _session_as_it_is(self, variables: Sequence[Variable]) -> Any:
        # Private: `get_session` may add ops.
        return tf.get_default_session() or self.keras.backend.tensorflow_backend._SESSION


class StandaloneKeras23(StandaloneKeras):
    """Keras 2.3, which uses the session of `tf.keras` and names what it makes."""

    renamed = {"lr": "learning_rate"}
    counts_first = True
    slot_names = {
        "velocity": "moment",
        "mean_square": "accumulator",
        "sum_of_squares": "accumulator",
        "mean_square_gradient": "accumulator",
        "mean_square_step": "delta_accumulator",
        "first_moment": "m",
        "second_moment": "v",
        "largest_second_moment": "vhat",
        "infinity_norm": "u",
    }

    def _session_as_it_is(self, variables: Sequence[Variable]) -> Any:
        return session_without_initialization(variables)


TF_KERAS = Host(KERAS, HostOptimizer)

_current = TF_KERAS


def current() -> Host:
    """The host of the optimizers that are made now."""
    return _current


def choose(host: Host) -> Host:
    """Make `host` the current one; the one before is returned."""
    global _current
    before, _current = _current, host
    return before
