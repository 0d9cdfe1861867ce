"""Train an optimizer on a case, in a session of its own, and keep every value of every step."""

import contextlib
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from keras_optimizers.conformance.recorder import cases, layouts, ordering

Trace = NamedTuple(
    "Trace",
    [
        ("case", str),
        ("class_name", str),
        ("arrays", Dict[str, np.ndarray]),  # by name; the first axis is the step
        ("weights", List[str]),  # names of the arrays that `get_weights` gives, in its order
        ("config", Optional[Dict[str, Any]]),
    ],
)
THREADS = {"intra_op": 1, "inter_op": 1}

Factory = Callable[..., Any]


class Training:
    """A graph in which an optimizer trains the parameters of a case.

    Attributes:
        optimizer: what the factory made.
        updates: what a step runs.
        parameters: the variables that are trained.
        variables: all variables that a step may read and write.
    """

    def __init__(self, host: Any, factory: Factory, case: cases.Case, threads: Any = None) -> None:
        self.host, self.case, self._threads = host, case, threads or THREADS
        self._session: Any = None
        K = host.backend
        constraint = host.constraints.MaxNorm(case.max_norm) if case.max_norm else None
        self.parameters = [
            K.variable(value, dtype=case.floatx, constraint=constraint if value.ndim == 2 else None)
            for value in cases.initial_values(case)
        ]
        self.feeds, loss = _problem(host, case, self.parameters)
        self.optimizer = factory(**case.arguments)
        self.updates = _operations(host, self.optimizer.get_updates(loss, self.parameters))
        self.variables = _unique(
            self.parameters
            + list(self.optimizer.weights)
            + [value for value in vars(self.optimizer).values() if _is_variable(value)]
        )

    def put_in_order(self) -> None:
        """Give reads and writes that race the order that is meant. Before the first step."""
        ordering.put_in_order(self.updates, self.variables)

    def find_races(self) -> List[ordering.Race]:
        """Reads and writes of one variable that a step leaves without order."""
        return ordering.find_races(self.updates, self.variables)

    def step(self, values: Sequence[np.ndarray]) -> None:
        """One step on what is fed."""
        self.session.run(self.updates, dict(zip(self.feeds, values)))

    @property
    def session(self) -> Any:
        """The session, in which all variables are initialized."""
        if self._session is None:
            config = self.host.tf.ConfigProto(
                intra_op_parallelism_threads=self._threads["intra_op"],
                inter_op_parallelism_threads=self._threads["inter_op"],
            )
            # Made late: a session does not see changes to ops that it has taken over.
            self.host.backend.set_session(self.host.tf.Session(config=config))
            self._session = self.host.backend.get_session()
            self._session.run(self.host.tf.variables_initializer(self.variables))
        return self._session

    def parameter_values(self) -> List[np.ndarray]:
        """The parameters now."""
        self.session  # noqa: B018 (makes and initializes it)
        return [np.asarray(value) for value in self.host.backend.batch_get_value(self.parameters)]

    def weights(self) -> List[np.ndarray]:
        """The optimizer's weights now."""
        self.session  # noqa: B018
        return [np.asarray(value) for value in self.optimizer.get_weights()]


@contextlib.contextmanager
def fresh(host: Any, floatx: str) -> Iterator[None]:
    """A new graph under `floatx`; the precision before is set again after it."""
    K = host.backend
    before = K.floatx()
    K.clear_session()
    K.set_floatx(floatx)
    try:
        yield
    finally:
        K.set_floatx(before)
        K.clear_session()


def run_case(
    host: Any, factory: Factory, case: cases.Case, class_name: str = "", grouped: bool = True
) -> Trace:
    """Every parameter and every weight after each step of `case`.

    Arguments:
        host: see `hosts.Host`.
        factory: makes an optimizer of the case's arguments.
        class_name: tells the roles of the weights; the default is the case's.
        grouped: see `layouts.name_weights`.
    """
    rows: List[List[np.ndarray]] = []
    names: List[str] = []
    carried: Any = None
    config: Optional[Dict[str, Any]] = None
    for stretch in _stretches(case):
        with fresh(host, case.floatx):
            training = Training(host, factory, case)
            training.put_in_order()
            training.session  # noqa: B018
            if carried:
                host.backend.batch_set_value(list(zip(training.parameters, carried[0])))
                training.optimizer.set_weights(carried[1])
            for values in stretch:
                training.step(values)
                weights = training.weights()
                rows.append(training.parameter_values() + weights)
            count = len(training.parameters)
            carried = training.parameter_values(), weights
            if not names:
                names = layouts.name_weights(
                    class_name or case.class_name, weights, count, len(rows), grouped
                )
            config = _config(training.optimizer)
    every = ["parameter %d" % index for index in range(count)] + names
    arrays = {name: np.stack([row[index] for row in rows]) for index, name in enumerate(every)}
    return Trace(case.name, class_name or case.class_name, arrays, names, config)


def _stretches(case: cases.Case) -> List[List[List[np.ndarray]]]:
    values = cases.fed_values(case)
    if case.problem != "resume":
        return [values]
    return [values[: cases.RESUME_AFTER], values[cases.RESUME_AFTER :]]


def _config(optimizer: Any) -> Optional[Dict[str, Any]]:
    try:
        config = optimizer.get_config()
    except NotImplementedError:
        return None
    # NumPy's scalars are no JSON.
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in config.items()}


def _problem(host: Any, case: cases.Case, parameters: Sequence[Any]) -> Any:
    """Placeholders, and a loss."""
    K, tf = host.backend, host.tf
    if case.problem == "dense net":
        kernel, bias, last_kernel, last_bias = parameters
        feeds = [
            tf.placeholder(case.floatx, (cases.BATCH, cases.NET_SHAPES[0][0])),
            tf.placeholder(case.floatx, (cases.BATCH, cases.NET_SHAPES[-1][0])),
        ]
        hidden = tf.nn.relu(_product(tf, feeds[0], kernel) + bias)
        outputs = _product(tf, hidden, last_kernel) + last_bias
        return feeds, K.mean(K.square(outputs - feeds[1]))
    if case.problem == "lookups":
        table, vector = parameters
        rows = tf.placeholder("int32", (5,))
        feeds = [
            tf.placeholder(case.floatx, (5, cases.TABLE_SHAPES[0][1])),
            tf.placeholder(case.floatx, cases.TABLE_SHAPES[1]),
        ]
        loss = K.sum(K.gather(table, rows) * feeds[0]) + K.sum(vector * feeds[1])
        return [rows] + feeds, loss
    feeds = [tf.placeholder(case.floatx, shape) for shape in cases.shapes(case)]
    return feeds, sum(K.sum(p * feed) for p, feed in zip(parameters, feeds))


def _product(tf: Any, left: Any, right: Any) -> Any:
    """The matrix product. TensorFlow's `matmul` rounds otherwise from 1.14 on."""
    return tf.reduce_sum(tf.expand_dims(left, 2) * tf.expand_dims(right, 0), axis=1)


def _operations(host: Any, updates: Sequence[Any]) -> List[Any]:
    """`updates`, where pairs of variable and value are assignments."""
    return [
        host.tf.assign(*update) if isinstance(update, tuple) else update
        for update in updates
        if update is not None
    ]


def _is_variable(value: Any) -> bool:
    return hasattr(value, "initializer") and hasattr(value, "assign")


def _unique(values: Sequence[Any]) -> List[Any]:
    found: List[Any] = []
    for value in values:
        if not any(value is other for other in found):
            found.append(value)
    return found
