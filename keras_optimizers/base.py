"""The abstract optimizer: all that the optimizers have in common."""

from typing import Any, Dict, List, Optional, Sequence, Tuple  # noqa: F401 (type comments)

import numpy as np  # noqa: F401 (type comments)
import tensorflow.compat.v1 as tf

from keras_optimizers import checks, gradients, hosts
from keras_optimizers.coefficients import CoefficientsByTask, StepCoefficients
from keras_optimizers.expressions import Coefficients, NewValues, Slots
from keras_optimizers.horovod_aggregation import when_gradients_are_complete
from keras_optimizers.lowering import through_backend
from keras_optimizers.lowering.assignments import Assignment, assign_all, count
from keras_optimizers.lowering.build import build_updates
from keras_optimizers.lowering.fused import FusedKernels
from keras_optimizers.object_checkpoints import ListedForEstimators
from keras_optimizers.older_call import accepts_the_older_call
from keras_optimizers.parameters import TrainedParameter
from keras_optimizers.placement import on_the_task_of, task_of
from keras_optimizers.scalars import ScalarReads, StepScalars
from keras_optimizers.tensorflow_private import HostOptimizer
from keras_optimizers.tensorflow_types import Tensor, Variable
from keras_optimizers.variables import is_variable, new_variable, zeros_beside
from keras_optimizers.weights import check_weights, in_layout_of

# Public signatures carry their types in comments: `inspect.signature` must equal the reference's.


class Optimizer(HostOptimizer, ListedForEstimators):
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
        native: bool. Make the step with the native op, to the default's bits: faster, but the graph
            runs only where the op's library is loaded. Where the op cannot be had, or cannot take
            a parameter, TensorFlow's own ops are used. Not with `fused`.
        global_clipnorm: float >= 0. Bounds the L2 norm of all gradients together, which is what
            `clipnorm` means in standalone Keras 2.x; 0 is no clipping. Not with `clipnorm`.

    Raises:
        TypeError: If a keyword is unknown or its value is no number (of `fused` and
            `native`: no bool).
        ValueError: If a value is negative or NaN, or `fused` and `native` are both set.
        RuntimeError: Under eager execution.

    Reference: `Optimizer` of tensorflow/python/keras/optimizers.py, r1.10.

    Examples:
        >>> import tensorflow.compat.v1 as tf
        >>> from keras_optimizers import Optimizer
        >>> # Moves every element by `lr`, against the sign of its gradient.
        >>> class SignDescent(Optimizer):
        ...     def __init__(self, lr=0.25, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self._create_scalars(iterations=0, lr=lr)
        ...
        ...     def step_coefficients(self, scalars):
        ...         return {"lr": scalars["lr"]}
        ...
        ...     def update_rule(self, parameter, gradient, slots, coefficients):
        ...         return parameter - coefficients.lr * tf.sign(gradient), {}
        >>> weight = tf.get_variable("weight", initializer=[1.0, -1.0], use_resource=True)
        >>> optimizer = SignDescent(clipnorm=1.0)
        >>> step = tf.group(*optimizer.get_updates(tf.reduce_sum(weight * weight), [weight]))
        >>> with tf.Session() as session:
        ...     session.run(tf.global_variables_initializer())
        ...     session.run(step)
        ...     print(session.run(weight))
        [ 0.75 -0.75]
    """

    # The roles of each parameter's slots, in the order of `weights`.
    slot_roles = ()  # type: Tuple[str, ...]
    # Names of the scalars that `weights` begins with.
    weight_scalars = ("iterations",)  # type: Tuple[str, ...]
    # The Keras for which it was made, and the arguments that were given by that Keras's names.
    _host = hosts.TF_KERAS  # type: hosts.Host
    _renamed = {}  # type: Dict[str, Any]

    def __init__(self, **kwargs):
        # type: (**Any) -> None
        checks.refuse_methods_of_optimizer_v2(self, Optimizer)
        checks.require_graph_mode()
        self._host = hosts.current()
        if self._host.counts_first and "iterations" not in self.weight_scalars:
            self.weight_scalars = ("iterations",) + self.weight_scalars
        self._renamed = {
            name: kwargs.pop(its) for name, its in self._host.renamed.items() if its in kwargs
        }
        self.fused = checks.check_flag("fused", kwargs.pop("fused", False))
        self.native = checks.check_flag("native", kwargs.pop("native", False))
        checks.check_not_both(self.fused, self.native)
        # Attributes only when set: hosts ask `hasattr(optimizer, "clipnorm")`.
        self.__dict__.update(gradients.check_clipping(kwargs))
        self.updates = []  # type: List[Any]
        # Slots that are there before the updates, by role and the parameter's `id`.
        self._made_early = {}  # type: Dict[Tuple[str, int], Variable]
        self.weights = []  # type: List[Variable]
        # The scalars that were made here, by name; callers may have replaced the attributes.
        self._created = {}  # type: Dict[str, Variable]
        # Name, shape and dtype's name of the trained parameters, in the order of the slots.
        self.trained = []  # type: List[Tuple[str, Tuple[int, ...], str]]

    # What makes an optimizer: each optimizer's file overrides some of these.

    def step_coefficients(self, scalars: StepScalars) -> Dict[str, Tensor]:
        """The scalars that `update_rule` needs, computed once a step for all parameters.

        Arguments:
            scalars: the hyperparameters, the number of the step and the learning rate.

        Returns:
            Tensors without dimensions, or plain numbers, by name. An op among them is a check:
            nothing is written before it has passed.
        """
        raise NotImplementedError

    def update_rule(
        self, parameter: Tensor, gradient: Tensor, slots: Slots, coefficients: Coefficients
    ) -> NewValues:
        """The new value of one parameter and of those of its slots that change.

        Arguments:
            parameter, gradient: formulas (see `expressions`) that stand for tensors of one shape
                and dtype. They become tensors where they are passed to an op of TensorFlow.
            slots: the slots' values as attributes, by role.
            coefficients: `step_coefficients` as attributes, in the dtype of `parameter`.
        """
        raise NotImplementedError

    def fused_rule(
        self, kernels: FusedKernels, slots: Slots, coefficients: Coefficients
    ) -> Optional[List[tf.Operation]]:
        """The ops that do what `update_rule` says by fused kernels, for `fused=True`.

        Arguments:
            kernels: the kernels, for one parameter and its gradient.
            slots: the slots' variables as attributes, by role.
            coefficients: `step_coefficients` as attributes, in the parameter's dtype.

        Returns:
            The ops; None where there are none, and `update_rule` is followed.
        """
        return None

    def scalar_updates(self, coefficients: Coefficients) -> Dict[str, Tensor]:
        """New values of the optimizer's own scalars (other than `iterations`), by name."""
        return {}

    def slot_shape(self, role: str, parameter_shape: List[int]) -> List[int]:
        """The shape of the slot `role` of a parameter: by default the parameter's."""
        return parameter_shape

    def complete_weights(self, weights: List[Any]) -> List[Any]:
        """`weights` of an older layout in the layout of today; any other list unchanged."""
        return weights

    # Building a step.

    def get_gradients(self, loss, params):
        # type: (Tensor, Sequence[Variable]) -> List[Tensor]
        """The clipped gradients of `loss`.

        Arguments:
            loss: scalar tensor.
            params: variables, of float16, float32 or float64.

        Returns:
            One gradient for each parameter, of its dtype: a tensor, or `IndexedSlices` from a
            lookup.

        Raises:
            AttributeError: If the loss or `params` is None.
            ValueError: If a parameter has no gradient (the text names it).
        """
        checks.refuse_none(params)
        single = is_variable(params)  # the callback TensorBoard passes one variable
        variables = [params] if single else list(params)
        found = gradients.gradients_of(loss, variables, self._host.gradients)
        return gradients.clip(found, self._host.clipping(self._clipping()))

    def _clipping(self) -> Dict[str, Any]:
        """The clipping options that are set; callers may have set them as attributes."""
        options = {name: getattr(self, name, None) for name in gradients.CLIPPING}
        return {name: value for name, value in options.items() if value is not None}

    @accepts_the_older_call
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
        if type(self).update_rule is Optimizer.update_rule:
            raise NotImplementedError(
                f"{type(self).__name__} has no update rule. Use one of the optimizers, or override "
                "`get_updates` (or `slot_roles`, `step_coefficients` and `update_rule`)."
            )
        checks.require_graph_mode()
        variables = checks.check_parameters(params)
        self._host.check_parameters(variables)
        scalars = [value for value in vars(self).values() if is_variable(value)]
        checks.check_graph(loss, variables, scalars)
        checks.check_shapes(variables)
        found = self.get_gradients(loss, variables)
        parameters = [TrainedParameter(v, gradient) for v, gradient in zip(variables, found)]
        reads = ScalarReads(self, tf.as_dtype(self._host.floatx()))
        with on_the_task_of(self._home()):
            coefficients = StepCoefficients(
                self.step_coefficients, reads, [parameter.dtype for parameter in parameters]
            )
        weights = self._create_slots(parameters)
        # Nothing is written before the loss and all gradients have read what they need.
        gradient_tensors = _tensors([loss, [parameter.gradient for parameter in parameters]])
        with tf.control_dependencies(gradient_tensors + coefficients.checks):
            everything_read = tf.group(name="everything_read")

        def write():
            # type: () -> List[Any]
            if through_backend.is_asked_for(self._host):
                return through_backend.updates(self, parameters, coefficients, reads)
            by_task = CoefficientsByTask(coefficients, self._home())
            ops, assignments = build_updates(self, parameters, by_task)
            with tf.control_dependencies(ops if assignments else []):
                return self._write_scalars(reads, coefficients) + assign_all(assignments) + ops

        with tf.control_dependencies([everything_read]):
            updates = when_gradients_are_complete(self, write)
        self.weights, self.updates = weights, updates
        self.trained = [parameter.signature for parameter in parameters]
        return list(updates)

    def _home(self) -> Variable:
        """The scalar beside which the coefficients of a step are computed."""
        # Not `iterations`, which may be a global step on another server than the hyperparameters.
        rate = self.__dict__.get("lr")
        return self.iterations if task_of(rate) is None else rate

    def _create_slots(self, parameters: Sequence[TrainedParameter]) -> List[Variable]:
        """Make the slots of each parameter; returns the new `weights`."""
        weights = [getattr(self, name) for name in self.weight_scalars]
        # Role by role, as in `weights`: the numbers in the variables' names follow this order.
        for role in self.slot_roles:
            for index, parameter in enumerate(parameters):
                parameter.slots[role] = self._slot(role, parameter.variable, index)
                weights.append(parameter.slots[role])
        return weights

    def _slot(self, role: str, variable: Variable, index: int) -> Variable:
        """A new slot, unless `_create_all_weights` has made it."""
        made = self._made_early.pop((role, id(variable)), None)
        if made is not None:
            return made
        return zeros_beside(
            variable,
            self.slot_shape(role, variable.shape.as_list()),
            variable.dtype.base_dtype,
            self._host.slot_name(role, index),
        )

    def _create_all_weights(self, params: Sequence[Variable]) -> None:
        """Make the slots that the next `get_updates` uses, and set `weights`.

        `load_model` of TensorFlow 2 calls this, and writes the state that it has loaded, before
        any updates are built. The slots have the names that they have in a model of that graph
        that was not loaded.

        Raises:
            NotImplementedError: If the class makes its slots in a `get_updates` of its own.
        """
        if type(self).update_rule is Optimizer.update_rule:
            raise NotImplementedError
        variables = checks.check_parameters(params)
        checks.check_shapes(variables)
        # The scope in which the host builds updates; entered so, the name stays free for the host.
        scope = tf.get_default_graph().unique_name("training", mark_as_used=False)
        made = {}
        with tf.name_scope(scope + "/"):
            for role in self.slot_roles:
                for index, variable in enumerate(variables):
                    made[role, id(variable)] = self._slot(role, variable, index)
        self.weights = [getattr(self, name) for name in self.weight_scalars] + list(made.values())
        self._made_early = made

    def _write_scalars(
        self, reads: ScalarReads, coefficients: StepCoefficients
    ) -> List[tf.Operation]:
        """Writes of `iterations` and the optimizer's other scalars, after everything they feed."""
        home = self._home()
        with on_the_task_of(home):
            new_values = self.scalar_updates(coefficients.by_dtype[reads.dtype])
            readers = reads.all_computed + coefficients.tensors
            if task_of(home) != task_of(self.iterations):
                readers = [tf.group(*readers)]  # one message, not one from each reader
        with tf.control_dependencies(readers), on_the_task_of(home):
            return [count(self.iterations)] + assign_all(
                [Assignment(getattr(self, name), value) for name, value in new_values.items()]
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
        variables, values = in_layout_of(self, self._host, self.complete_weights(list(weights)))
        self._host.set_values(variables, check_weights(variables, values))

    # Configuration.

    def get_config(self):
        # type: () -> Dict[str, Any]
        """The arguments that make an optimizer like this one, as plain Python values."""
        config = self._clipping()
        config.update((name, True) for name in ("fused", "native") if getattr(self, name))
        return config

    @classmethod
    def from_config(cls, config):
        # type: (Dict[str, Any]) -> Any
        """A new optimizer with the arguments `config`, as `get_config` returns them."""
        return cls(**config)

    # The learning rate by its names, and the optimizer in messages.

    def __getattr__(self, name: str) -> Any:
        # Not methods: hosts ask `hasattr(optimizer, "minimize")`, and take it for another kind.
        hint = checks.METHODS_OF_OTHERS.get(name)
        if hint is not None:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}: {hint}"
            )
        return object.__getattribute__(self, name)  # fails as it did, with the text of a property

    @property
    def lr(self):
        # type: () -> Any
        """The learning rate: a variable. Missing where an optimizer has none."""
        # A property, because Keras 2.3's base class has one, which cannot be set.
        if "lr" in self.__dict__:
            return self.__dict__["lr"]
        if type(self).learning_rate is not Optimizer.learning_rate:
            return self.learning_rate  # of a subclass that keeps its rate elsewhere
        raise AttributeError(f"{type(self).__name__!r} object has no attribute 'lr'")

    @lr.setter
    def lr(self, value):
        # type: (Any) -> None
        """Replace the variable. Updates that have been built keep the variable before."""
        self.__dict__["lr"] = value

    @property
    def learning_rate(self):
        # type: () -> Any
        """Keras 2.3's name of `lr`."""
        # Not by way of `lr`: subclasses for Keras 2.3 make that a property over this one.
        if "lr" in self.__dict__:
            return self.__dict__["lr"]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute 'learning_rate'")

    @learning_rate.setter
    def learning_rate(self, value):
        # type: (Any) -> None
        """As `lr`."""
        self.__dict__["lr"] = value

    def __repr__(self) -> str:
        # `compile` of another Keras shows it when it refuses the optimizer.
        made_for = f"{type(self).__name__} of keras_optimizers, made for {self._host.name}"
        return f"<{made_for}; for another Keras: keras_optimizers.use_host(keras)>"

    # For the constructors and `get_config` of the optimizers.

    def _set_constants(self, **values: Any) -> None:
        """Set attributes that the graph holds as constants; an epsilon of None is the host's.

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
            given_as = self._host.renamed.get(name, name) if name in self._renamed else name
            checks.check_hyperparameter(type(self).__name__, given_as, value)
        with tf.name_scope(type(self).__name__):
            created = None  # type: Any
            for name, value in initial_values.items():
                dtype = tf.int64 if name == "iterations" else self._host.floatx()
                its_name = self._host.renamed.get(name, name)
                # All on one parameter server: they need not travel before they are combined.
                with on_the_task_of(created):
                    created = new_variable(value, dtype, its_name)
                setattr(self, name, created)
                self._created[name] = created

    def listed_variables(self) -> Dict[str, Any]:
        """All variables, where an estimator has put its global step in place of `iterations`."""
        own = self._created.get("iterations")
        if own is None or self.iterations is own:
            return {}
        listed = dict(self._created, iterations=self.iterations, replaced_iterations=own)
        slots = self.weights[len(self.weight_scalars) :]
        names = [f"{role}_{n}" for role in self.slot_roles for n in range(len(self.trained))]
        listed.update(zip(names, slots))
        return listed

    def _config(self, *names: str, **values: Any) -> Dict[str, Any]:
        """The config of the base class, the current values of the scalars `names`, and `values`."""
        config = Optimizer.get_config(self)
        variables = [getattr(self, name) for name in names]
        config.update(zip(names, self._host.scalar_values(variables)))
        config.update(values)
        return self._host.to_config(config)


def _tensors(structure: Any) -> List[Tensor]:
    """The tensors in nested lists; of sparse gradients the tensors that they consist of."""
    flat = tf.nest.flatten(structure, expand_composites=True)
    return [value for value in flat if tf.is_tensor(value)]
