"""The abstract optimizer: all that the optimizers have in common."""

from types import SimpleNamespace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np  # noqa: F401 (type comments)
import tensorflow.compat.v1 as tf

from keras_optimizers import checks, gradients, horovod, hosts
from keras_optimizers.checks import require_graph_mode
from keras_optimizers.coefficients import Transport
from keras_optimizers.lowering import kernels
from keras_optimizers.lowering.build import BuildUpdates
from keras_optimizers.placement import on_the_task_of, task_of
from keras_optimizers.scalars import Step
from keras_optimizers.tensorflow_private import HostOptimizer
from keras_optimizers.tensorflow_types import Tensor, Variable
from keras_optimizers.variables import is_variable, new_variable, static_shape, zeros_beside
from keras_optimizers.weights import check_weights

# Public signatures carry their types in comments: `inspect.signature` must equal the reference's.


class Optimizer(HostOptimizer):
    """Abstract base of all optimizers.

    An optimizer turns a loss and variables into assign ops: `get_updates(loss, params)`. One run
    of these ops is one training step. It reads every variable before it writes any, so the
    result is the same at any number of threads.

    A subclass of the usual kind says which slots it keeps (`slot_roles`), which scalars a step
    needs (`step_coefficients`) and how one parameter moves (`update_rule`). A subclass written
    for the original may instead override `get_updates`, as there.

    The host's class of the same name is inherited from in name alone, because
    `tf.keras.Model.compile` accepts nothing else. `use_host` adds standalone Keras's class.

    Arguments:
        clipnorm: float >= 0. Bounds the L2 norm of each gradient by itself; for standalone Keras,
            as there, of all together.
        clipvalue: float >= 0. Bounds the absolute value of each element of each gradient.
        fused: bool. Use TensorFlow's fused kernels also where they round differently: parameters
            are within a few units in the last place of the default's after a step, and slots
            that nothing reads are left out. A model saved from either kind loads into the other.
        global_clipnorm: float >= 0. Bounds the L2 norm of all gradients together, which is what
            `clipnorm` means in standalone Keras 2.x; 0 is no clipping. Not with `clipnorm`.

    Raises:
        TypeError: If a keyword is unknown or its value is no number (of `fused`: no bool).
        ValueError: If a value is negative or NaN.
        RuntimeError: Under eager execution.

    Reference: `Optimizer` of tensorflow/python/keras/optimizers.py, r1.10.
    """

    # Names of the per-parameter state, in the order of `weights`.
    slot_roles = ()  # type: Tuple[str, ...]
    # Names of the scalars that `weights` begins with.
    weight_scalars = ("iterations",)  # type: Tuple[str, ...]
    # The Keras for which it was made, and values that were given by its names of arguments.
    _host = hosts.TF_KERAS
    _renamed = {}  # type: Dict[str, Any]

    def __init__(self, **kwargs):
        # type: (**Any) -> None
        require_graph_mode()
        self._host = hosts.current()
        if self._host.counts_first and "iterations" not in self.weight_scalars:
            self.weight_scalars = ("iterations",) + self.weight_scalars
        self._renamed = {
            name: kwargs.pop(own) for name, own in self._host.renamed.items() if own in kwargs
        }
        self.fused = checks.check_fused(kwargs.pop("fused", False))
        # Attributes only when set: hosts ask `hasattr(optimizer, "clipnorm")`.
        self.__dict__.update(gradients.check_clipping(kwargs))
        self.updates = []  # type: List[Any]
        # Slots that are there before the updates, by role and the parameter's `id`.
        self._made_early = {}  # type: Dict[Tuple[str, int], Variable]
        self.weights = []  # type: List[Variable]
        # Name, shape and dtype's name of the trained parameters, in the order of the slots.
        self.trained = []  # type: List[Tuple[str, Tuple[int, ...], str]]

    # What makes an optimizer: its own file overrides these.

    def step_coefficients(self, step: Step) -> Dict[str, Tensor]:
        """The scalars that `update_rule` needs, computed once a step for all parameters.

        Ops among them are checks: nothing is written before they have passed.
        """
        raise NotImplementedError

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Any, coefficients: Any
    ) -> Tuple[Tensor, Dict[str, Tensor]]:
        """The new value of one parameter and of those of its slots that change.

        Arguments:
            parameter, gradient: tensors of one shape and dtype.
            slots: the slots' values as attributes, by role.
            coefficients: `step_coefficients` as attributes, in the dtype of `parameter`.
        """
        raise NotImplementedError

    def fused_rule(
        self, step: kernels.FusedStep, slots: Any, coefficients: Any
    ) -> Optional[List[tf.Operation]]:
        """The ops that make the step of `update_rule` by fused kernels, for `fused=True`.

        Arguments:
            step: the kernels, for one parameter and its gradient.
            slots: the slots' variables as attributes, by role.
            coefficients: `step_coefficients` as attributes, in the parameter's dtype.

        Returns:
            Ops in their order; None where there are none, and `update_rule` is followed.
        """
        return None

    def scalar_updates(self, coefficients: Any) -> Dict[str, Tensor]:
        """New values of the optimizer's own scalars (other than `iterations`), by name."""
        return {}

    def slot_shape(self, role: str, parameter_shape: List[int]) -> List[int]:
        """The shape of the slot `role` of a parameter: by default the parameter's."""
        return parameter_shape

    def complete_weights(self, weights: List[Any]) -> List[Any]:
        """`weights` of an older layout in today's; any other list unchanged."""
        return weights

    # Building a step.

    def get_gradients(self, loss, params):
        # type: (Tensor, Sequence[Variable]) -> List[Tensor]
        """The clipped gradients of `loss`.

        Arguments:
            loss: scalar tensor.
            params: variables, of float16, float32 or float64.

        Returns:
            One gradient a parameter, of its dtype: a tensor or, for lookups, `IndexedSlices`.

        Raises:
            ValueError: If a parameter has no gradient (the text names it).
        """
        single = is_variable(params)  # as the callback TensorBoard passes it
        found = gradients.gradients_of(loss, [params] if single else list(params))
        return gradients.clip(found, self._host.clipping(self._clipping()))

    def _clipping(self) -> Dict[str, Any]:
        """The clipping options that are set; callers may have set them as attributes."""
        options = {name: getattr(self, name, None) for name in gradients.CLIPPING}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def lr(self):
        # type: () -> Any
        """The learning rate: a variable. Missing where an optimizer has none."""
        # A property, because Keras 2.3's base class has one, which cannot be set.
        if "lr" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'lr'")
        return self.__dict__["lr"]

    @lr.setter
    def lr(self, value):
        # type: (Any) -> None
        """Replaces the variable; what a graph already computes keeps the one before."""
        self.__dict__["lr"] = value

    @property
    def learning_rate(self):
        # type: () -> Any
        """Keras 2.3's name of `lr`."""
        return self.lr

    @learning_rate.setter
    def learning_rate(self, value):
        # type: (Any) -> None
        """As `lr`."""
        self.lr = value

    def __repr__(self) -> str:
        # `compile` of another Keras shows it when it refuses the optimizer.
        made_for = f"{type(self).__name__} of keras_optimizers, made for {self._host.name}"
        return f"<{made_for}; for another Keras: keras_optimizers.use_host(keras)>"

    def get_updates(self, loss, params):
        # type: (Tensor, Sequence[Variable]) -> List[Any]
        """Ops that make one training step when run together.

        Creates new slots; sets `weights` and `updates`. The first op counts `iterations`.

        Arguments:
            loss: scalar tensor.
            params: variables to train, of float16, float32 or float64, also mixed.

        Returns:
            A list of ops without a value.

        Raises:
            AttributeError, ValueError: If a parameter is no variable or has no gradient. Nothing
                has been changed then.
            RuntimeError: Under eager execution.
        """
        if not self._has_update_rule():
            raise NotImplementedError(
                f"{type(self).__name__} has no update rule. Use one of the optimizers, or override "
                "`get_updates` (or `slot_roles`, `step_coefficients` and `update_rule`)."
            )
        require_graph_mode()
        params = gradients.check_parameters(params)
        self._host.check_parameters(params)
        scalars = [value for value in vars(self).values() if is_variable(value)]
        checks.check_graph(loss, params, scalars)
        shapes = [static_shape(parameter) for parameter in params]
        found = [
            gradient if _stays_sparse(gradient, parameter) else kernels.dense(gradient, parameter)
            for gradient, parameter in zip(self.get_gradients(loss, params), params)
        ]
        step = Step(self, tf.as_dtype(self._host.floatx()))
        with on_the_task_of(self._home()):
            coefficients = self._coefficients_by_dtype(step, params)
        weights, slots = self._create_slots(params, shapes)
        # Nothing is written before the loss and all gradients have read what they need.
        passed = [value for own in coefficients.values() for value in _operations(own)]
        with tf.control_dependencies(_tensors([loss, found]) + passed):
            everything_read = tf.group(name="everything_read")

        def write():
            # type: () -> List[Any]
            transport = Transport(coefficients, self._home())
            build = BuildUpdates(self, params, found, slots, transport)
            writes, to_assign = build.writes, build.to_assign
            with tf.control_dependencies(writes if to_assign else []):
                scalars = self._write_scalars(step, coefficients)
                return scalars + kernels.assign_all(to_assign) + writes

        with tf.control_dependencies([everything_read]):
            updates = horovod.when_complete(self, write)
        self.weights, self.updates = weights, updates
        self.trained = [
            (parameter.op.name, tuple(shape), parameter.dtype.base_dtype.name)
            for parameter, shape in zip(params, shapes)
        ]
        return list(updates)

    def _has_update_rule(self) -> bool:
        return type(self).update_rule is not Optimizer.update_rule

    def _home(self) -> Variable:
        """The scalar beside which the coefficients of a step are computed."""
        # Not `iterations`, which may be a global step on another server than the hyperparameters.
        own = self.__dict__.get("lr")
        return self.iterations if task_of(own) is None else own

    def _coefficients_by_dtype(
        self, step: Step, params: Sequence[Variable]
    ) -> Dict[tf.DType, SimpleNamespace]:
        """`step_coefficients` in the dtype of each parameter.

        They are computed in that dtype or the hyperparameters', whichever is wider: a float16
        parameter gets the float32 value, rounded once.
        """
        result = {}
        own = [step.dtype]  # the optimizer's own scalars need theirs even without parameters
        for dtype in own + [parameter.dtype.base_dtype for parameter in params]:
            if dtype not in result:
                wider = dtype if dtype.size > step.dtype.size else step.dtype
                values = self.step_coefficients(step.in_dtype(wider))
                result[dtype] = SimpleNamespace(
                    **{name: _cast(value, dtype) for name, value in values.items()}
                )
        return result

    def _create_slots(
        self, params: Sequence[Variable], shapes: Sequence[List[int]]
    ) -> Tuple[List[Variable], List[Dict[str, Variable]]]:
        """New `weights`, and the slots among them: a dict by role for each parameter."""
        # Role by role, as in `weights`: the variables' names count up in this order.
        by_role = {
            role: [
                self._slot(role, parameter, shape, index)
                for index, (parameter, shape) in enumerate(zip(params, shapes))
            ]
            for role in self.slot_roles
        }
        weights = [getattr(self, name) for name in self.weight_scalars]
        for created in by_role.values():
            weights += created
        slots = [
            {role: created[index] for role, created in by_role.items()}
            for index in range(len(params))
        ]
        return weights, slots

    def _slot(self, role: str, parameter: Variable, shape: List[int], index: int) -> Variable:
        """A new slot, unless `_create_all_weights` has made it."""
        made = self._made_early.pop((role, id(parameter)), None)
        if made is not None:
            return made
        shape, dtype = self.slot_shape(role, shape), parameter.dtype.base_dtype
        return zeros_beside(parameter, shape, dtype, self._host.slot_name(role, index))

    def _create_all_weights(self, params: Sequence[Variable]) -> None:
        """Make the slots that the next `get_updates` uses, and set `weights`.

        `load_model` of TensorFlow 2 calls this, and writes the state that it has loaded, before
        any updates are built. The slots have the names that they have in a model of that graph
        that was not loaded.

        Raises:
            NotImplementedError: If the class makes its slots in a `get_updates` of its own.
        """
        if not self._has_update_rule():
            raise NotImplementedError
        params = gradients.check_parameters(params)
        shapes = [static_shape(parameter) for parameter in params]
        # The scope in which the host builds updates; entered so, the name stays free for the host.
        scope = tf.get_default_graph().unique_name("training", mark_as_used=False)
        with tf.name_scope(scope + "/"):
            self.weights, slots = self._create_slots(params, shapes)
        self._made_early = {
            (role, id(parameter)): variable
            for parameter, by_role in zip(params, slots)
            for role, variable in by_role.items()
        }

    def _write_scalars(
        self, step: Step, coefficients: Dict[tf.DType, SimpleNamespace]
    ) -> List[tf.Operation]:
        """Writes of `iterations` and the optimizer's own scalars, after all who read them."""
        home = self._home()
        with on_the_task_of(home):
            new_values = self.scalar_updates(coefficients[step.dtype])
            readers = step.values
            for computed in coefficients.values():
                readers += [value for value in vars(computed).values() if tf.is_tensor(value)]
            if task_of(home) != task_of(self.iterations):
                readers = [tf.group(*readers)]  # one message, not one from each reader
        with tf.control_dependencies(readers), on_the_task_of(home):
            return [kernels.count(self.iterations)] + kernels.assign_all(
                [(getattr(self, name), value) for name, value in new_values.items()]
            )

    # State.

    def get_weights(self):
        # type: () -> List[np.ndarray]
        """The values of `weights`, read in one run of the backend session."""
        return self._host.get_values(self.weights)

    def set_weights(self, weights):
        # type: (Sequence[Any]) -> None
        """Write `weights` in one run of the backend session; all are checked before any is written.

        Arguments:
            weights: array-likes (arrays, lists, h5py datasets) as `get_weights` returns them, or
                in the layout of another Keras 2 that holds the same state: with `iterations`
                first where this class leaves it out.

        Raises:
            ValueError: If the number, a shape or a dtype does not fit. Nothing is written then.
        """
        len(weights)  # what has no length fails as it does in the reference
        variables, values = list(self.weights), self.complete_weights(list(weights))
        iterations = getattr(self, "iterations", None)
        left_out = is_variable(iterations) and not any(v is iterations for v in variables)
        if left_out and variables and len(values) == len(variables) + 1:  # as in Keras 2.3
            variables.insert(0, iterations)
        if self._host.counts_first and variables and len(values) == len(variables) - 1:
            values.insert(0, 0)  # of Keras 2.2, where this class left it out
        self._host.set_values(variables, check_weights(variables, values))

    # Configuration.

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments that make an optimizer like this one, as plain Python values."""
        config = self._clipping()
        if self.fused:
            config["fused"] = True
        return config

    @classmethod
    def from_config(cls, config):
        # type: (Dict[str, Any]) -> Any
        """A new optimizer with the arguments `config`, as `get_config` returns them."""
        return cls(**config)

    def _set_constants(self, **values: Any) -> None:
        """Set attributes that the graph holds as constants; an epsilon of None is Keras's own.

        Raises:
            TypeError, ValueError: If a value is no number. Nothing has been set then.
        """
        if "epsilon" in values and values["epsilon"] is None:
            values["epsilon"] = self._host.epsilon()
        for name, value in values.items():
            checks.check_hyperparameter(type(self).__name__, name, value)
        self.__dict__.update(values)

    def _create_scalars(self, **initial_values: Any) -> None:
        """Make `iterations` and the hyperparameters: variables, and attributes of those names.

        Raises:
            TypeError, ValueError: If a value is no number. Nothing has been created then.
        """
        initial_values.update(self._renamed)
        for name, value in initial_values.items():
            checks.check_hyperparameter(type(self).__name__, name, value)
        with tf.name_scope(type(self).__name__):
            created = None  # type: Any
            for name, value in initial_values.items():
                dtype = tf.int64 if name == "iterations" else self._host.floatx()
                own_name = self._host.renamed.get(name, name)
                # All on one parameter server: what is computed of them needs not travel first.
                with on_the_task_of(created):
                    created = new_variable(value, dtype, own_name)
                setattr(self, name, created)

    def _config(self, *names: str, **values: Any) -> Dict[str, Any]:
        """The config of the base class, the current values of the scalars `names`, and `values`."""
        config = Optimizer.get_config(self)
        variables = [getattr(self, name) for name in names]
        config.update(zip(names, self._host.scalar_values(variables)))
        config.update(values)
        return self._host.to_config(config)


def _operations(coefficients: Any) -> List[tf.Operation]:
    return [value for value in vars(coefficients).values() if isinstance(value, tf.Operation)]


def _tensors(structure: Any) -> List[Any]:
    """The tensors in nested lists; those of which sparse gradients are made, too."""
    flat = tf.nest.flatten(structure, expand_composites=True)
    return [value for value in flat if tf.is_tensor(value)]


def _stays_sparse(gradient: Any, parameter: Variable) -> bool:
    """A constraint needs a dense gradient: it may change rows that no batch touched."""
    constrained = getattr(parameter, "constraint", None) is not None
    return isinstance(gradient, tf.IndexedSlices) and not constrained


def _cast(value: Any, dtype: tf.DType) -> Any:
    """`value` in `dtype`; a plain number stays one, exact until it meets a tensor."""
    return tf.cast(value, dtype) if tf.is_tensor(value) else value
