"""What all hosts have in common, and the fields and methods in which they differ."""

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_private import is_of_tf_keras
from keras_optimizers.tensorflow_types import Session, Tensor, Variable
from keras_optimizers.variables import is_variable

# A function that a host's own optimizers call: the module in which they look it up, its name
# there, and the module that defines it.
Replaceable = Tuple[Any, str, Any]


class Host:
    """A Keras whose models an optimizer trains: its session, its precision, its conventions.

    An optimizer belongs to the host that was current when it was made; see `use_host`. Each
    host is a subclass, with a file of its own.

    Attributes:
        name: what error messages call the host.
        module_name: how scripts import it.
        keras: the module.
        optimizer_class: the class whose subclasses its `compile` accepts.
        renamed: its names of arguments, by r1.10's names.
        clips_together: whether its `clipnorm` bounds the norm of all gradients together.
        counts_first: whether the weights of every optimizer begin with `iterations`.
        slot_names: its names of slots, by role.
        passes_variables_by_name: whether its `TFOptimizer` calls
            `compute_gradients(loss, var_list=...)`, and not `compute_gradients(loss, ...)`.
        flags_by_position: whether flags such as `nesterov` take the places in which the reference
            has `decay` and `epsilon`.
    """

    name = ""
    module_name = ""
    renamed: Dict[str, str] = {}
    clips_together = False
    counts_first = False
    slot_names: Dict[str, str] = {}
    passes_variables_by_name = False
    flags_by_position = False

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
        return dict(self.keras.utils.get_custom_objects())

    def deserialize_keras_object(self, config: Dict[str, Any], **options: Any) -> Any:
        """The host's function of that name: what it builds finds custom objects in this host."""
        return self.keras.utils.deserialize_keras_object(config, **options)

    def owns(self, parameter: Variable) -> bool:
        """Whether this host, rather than another, may train `parameter`."""
        raise NotImplementedError

    def check_parameters(self, parameters: Sequence[Variable]) -> None:
        """Refuse the variables of another host's layers.

        Raises:
            ValueError: If a parameter is another host's.
        """
        for parameter in parameters:
            if not self.owns(parameter):
                other = "tf.keras" if is_of_tf_keras(parameter) else "keras"
                other = "keras" if is_of_standalone_keras(parameter) else other
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
        """The host's session, which initializes `variables` that have no value yet."""
        raise NotImplementedError

    def _session_as_it_is(self, variables: Sequence[Variable]) -> Any:
        """The host's session for a finalized graph, to which no op can be added."""
        raise NotImplementedError

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

    # Functions that libraries replace; see `lowering/through_backend.py`.

    def replaceable(self) -> List[Replaceable]:
        """The functions by which the host's own optimizers assign."""
        raise NotImplementedError

    def replaced(self) -> List[str]:
        """Those of `replaceable` that are, now, not the host's own."""
        names = []
        for module, name, definition in self.replaceable():
            function = vars(module).get(name)
            if function is not None and getattr(function, "__globals__", None) is not vars(
                definition
            ):
                names.append(f"{module.__name__}.{name}")
        return names

    def gradients(self, loss: Tensor, parameters: Sequence[Variable]) -> List[Tensor]:
        """Gradients by the function that the host's own optimizers call."""
        raise NotImplementedError

    def update(self, variable: Variable, value: Tensor) -> Any:
        """An assignment by the function that the host's own optimizers call."""
        raise NotImplementedError

    def update_add(self, variable: Variable, increment: Tensor) -> Any:
        """An addition to a variable by the function that the host's own optimizers call."""
        raise NotImplementedError


def is_of_standalone_keras(parameter: Variable) -> bool:
    """Whether the package `keras` made a variable: its `K.variable` marks them."""
    return hasattr(parameter, "_uses_learning_phase")
