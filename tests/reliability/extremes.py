"""Zeros, denormal and huge numbers, NaN, infinity and arguments at the edge.

    python -m tests.reliability.extremes          # all cases; a line for each that fails

The checks: ours beside upstream's old classes, to the bit; ours and fused beside the rules in
NumPy; gradients of lookups beside dense ones and the native op beside the default path, to the
bit. NumPy is compared only where TensorFlow's
arithmetic on a CPU is NumPy's, see `comparable`; what lies outside, upstream's classes show.
"""

import argparse
import functools
import itertools
import sys

import numpy as np
import tensorflow.compat.v1 as tf

import keras_optimizers
from keras_optimizers import numpy_rules, reference
from keras_optimizers.tensorflow_private import HOST_OPTIMIZERS as upstream
from tests.recorded.ordering import order_reads_before_writes
from tests.reliability.determinism import native_op_is_there
from tests.training import CLASS_NAMES, CONFIGURATIONS, K, fed_gradients, scalars_of

STEPS = 5
# How far NumPy's result may be from TensorFlow's, relative to the value: other roots and powers.
TOLERANCE = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-11}

# What is at an edge of what an optimizer takes.
ARGUMENTS = {
    "defaults": {},
    "configured": None,  # as CONFIGURATIONS has it, with decay and momentum
    "lr=0": {"lr": 0.0},
    "epsilon=0": {"epsilon": 0.0},
    "clipnorm=0": {"clipnorm": 0.0},
    "clipvalue=0": {"clipvalue": 0.0},
    "clipnorm=1": {"clipnorm": 1.0},
    "clipvalue=1e30": {"clipvalue": 1e30},
    "lr=1e30": {"lr": 1e30},
    "lr=1e-42": {"lr": 1e-42},  # denormal in float32, zero in float16
    "decay=1e30": {"decay": 1e30},
    "global_clipnorm=0": {"global_clipnorm": 0.0},  # upstream has none
    "global_clipnorm=1": {"global_clipnorm": 1.0},
}


def edge_values(dtype):
    """Numbers at the edges of `dtype`, both signs, and ordinary ones between them."""
    info = np.finfo(dtype)
    denormal = np.nextafter(np.zeros((), dtype), np.ones((), dtype))
    root = np.sqrt(info.max)  # its square is just finite, that of twice it is not
    positive = [denormal, info.tiny, 1e-7, 0.1, 1.0, 3.0, root / 2, root * 2, info.max / 2]
    values = [0.0, -0.0, np.nan, np.inf, -np.inf, info.max]
    if dtype != "float16":
        positive += [1e-30, 1e30]
    values += [sign * value for value in positive for sign in (1, -1)]
    return np.array(values, dtype)


def comparable(dtype):
    """The edge values on which TensorFlow 1.15 computes as NumPy does.

    In float32 and float64 it takes denormal numbers for zero. In float32 its root of infinity is
    NaN: gradients whose squares add up to infinity make a parameter NaN in every optimizer that
    takes the root, upstream's and ours.
    """
    edges = edge_values(dtype)
    size = np.abs(edges[np.isfinite(edges)].astype(np.float64))
    kept = np.ones(size.shape, bool)
    info = np.finfo(dtype)
    if dtype != "float16":  # computed in float32
        kept &= (size == 0) | (size > 16 * np.sqrt(float(info.tiny)))
    if dtype == "float32":
        kept &= size < np.sqrt(float(info.max)) / 4
    return edges[np.isfinite(edges)][kept]


def problem(dtype, edges=None):
    """First values of parameters and the gradients of each step.

    One parameter holds all edge values; each step turns its gradients around by some places, so
    that every edge meets states that other edges have left. Beside it are parameters without
    dimensions, as many as there are edges, and without elements.
    """
    edges = edge_values(dtype) if edges is None else edges
    alone = [np.asarray(value) for value in edges[:8]]
    ordinary = np.linspace(-1, 1, len(edges)).astype(dtype)
    values = [ordinary, edges, *[np.asarray(ordinary[index]) for index in range(8)]]
    gradients = [
        [np.roll(edges, 7 * step), np.roll(ordinary, step), *np.roll(alone, step)]
        for step in range(STEPS)
    ]
    return values, gradients


def with_empty(values, gradients, dtype):
    """The same problem with parameters that have no elements, which upstream does not take."""
    empty = [np.zeros((0,), dtype), np.zeros((3, 0, 2), dtype)]
    return [*values, *empty], [[*step, *empty] for step in gradients]


def arguments_of(class_name, name):
    """The arguments of a case; None where the class has no such argument."""
    given = CONFIGURATIONS[class_name] if ARGUMENTS[name] is None else ARGUMENTS[name]
    known = reference.OPTIMIZERS[class_name].defaults
    clipping = ("clipnorm", "clipvalue", "global_clipnorm")
    if not all(key in known or key in clipping for key in given):
        return None
    return dict(given)


def trained(optimizer, values, gradients, order=False):
    """Parameters and weights after each step."""
    variables, feeds, loss = fed_gradients(values)
    updates = optimizer.get_updates(loss, variables)
    updates = [tf.assign(*one) if isinstance(one, tuple) else one for one in updates]
    if order:
        order_reads_before_writes(scalars_of(optimizer))
    session = K.get_session()
    found = []
    for step in gradients:
        session.run(updates, dict(zip(feeds, step)))
        found.append((session.run(variables), optimizer.get_weights()))
    return found


def in_new_graph(dtype, work):
    """`work()` in a graph of its own with `dtype` as floatx."""
    K.clear_session()
    K.set_floatx(dtype)
    try:
        return work()
    finally:
        K.set_floatx("float32")
        K.clear_session()


def same(one, other):
    """Equal to the bit, but that NaN is NaN: its sign and payload mean nothing."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    number = ~np.isnan(one)
    return np.array_equal(number, ~np.isnan(other)) and (
        one[number].tobytes() == other[number].tobytes()
    )


def against_upstream(class_name, name, dtype):
    """Where ours differ from upstream's old class: a list of texts."""
    arguments = arguments_of(class_name, name)
    values, gradients = problem(dtype)

    def of(module):
        order = module is upstream
        return lambda: trained(
            getattr(module, class_name)(**arguments), values, gradients, order=order
        )

    theirs, ours = (in_new_graph(dtype, of(module)) for module in (upstream, keras_optimizers))
    wrong = []
    for step, (expected, found) in enumerate(zip(theirs, ours)):
        for what, one, other in zip(("parameter", "weight"), expected, found):
            wrong += [
                "step %d, %s %d" % (step, what, index)
                for index, pair in enumerate(zip(one, other))
                if not same(*pair)
            ]
    return wrong


def against_numpy(class_name, name, dtype, edges=None, only_finite=False, **path):
    """Where ours differ from the rules in NumPy: a list of texts.

    With `only_finite`: where ours are not finite, though those in NumPy are.
    """
    arguments = arguments_of(class_name, name)
    edges = comparable(dtype) if edges is None else edges
    values, gradients = with_empty(*problem(dtype, edges), dtype)

    def ours():
        optimizer = getattr(keras_optimizers, class_name)(**arguments, **path)
        return trained(optimizer, values, gradients)

    found = in_new_graph(dtype, ours)
    wrong = []
    info = np.finfo(dtype)
    largest = [np.abs(value) for value in values]  # that each element has been so far
    with np.errstate(all="ignore"):
        for step, (expected, _) in enumerate(
            numpy_rules.run(class_name, values, gradients, **arguments)
        ):
            for index, (one, other) in enumerate(zip(expected, found[step][0])):
                if one.shape != other.shape or one.dtype != other.dtype:
                    wrong.append("step %d, parameter %d: shape or dtype" % (step, index))
                    continue
                # Where a step takes nearly all away, the rest is rounding of what was there before.
                rounding = 4 * info.eps * np.where(np.isfinite(largest[index]), largest[index], 0)
                allowed = TOLERANCE[dtype] * np.abs(other) + 4 * info.tiny + rounding
                close = (one == other) | (np.isnan(one) & np.isnan(other))
                close |= np.isfinite(other) & (np.abs(one - other) <= allowed)
                largest[index] = np.fmax(largest[index], np.abs(one))
                if only_finite:
                    close = np.isfinite(other) | ~np.isfinite(one)
                for place in np.argwhere(~close):
                    place = tuple(place)
                    wrong.append(
                        "step %d, parameter %d%s: NumPy %r, ours %r"
                        % (step, index, list(place), one[place], other[place])
                    )
    return wrong


def fused_against_numpy(class_name, name, dtype):
    """Where `fused=True` differs from the rules in NumPy: a list of texts.

    Adam's kernel subtracts the second moment from the square of the gradient: where that is
    infinite, the kernel gives NaN. So such squares are left out. In float16 the order of the
    factors decides how much of a small product is left: there small gradients must only not give
    NaN or infinity.
    """
    edges = comparable(dtype)
    size = np.abs(edges.astype(np.float64))
    edges, size = (one[size < np.sqrt(float(np.finfo(dtype).max)) / 4] for one in (edges, size))
    if dtype != "float16":
        return against_numpy(class_name, name, dtype, edges, fused=True)
    wrong = against_numpy(class_name, name, dtype, edges, only_finite=True, fused=True)
    edges = edges[(size == 0) | (size > np.sqrt(float(np.finfo(dtype).tiny)))]
    return wrong + against_numpy(class_name, name, dtype, edges, fused=True)


def native_against_default(class_name, name, dtype):
    """Where `native=True` gives other bits than the default path: a list of texts."""
    arguments = arguments_of(class_name, name)
    values, gradients = with_empty(*problem(dtype), dtype)

    def of(native):
        optimizer = getattr(keras_optimizers, class_name)(native=native, **arguments)
        return trained(optimizer, values, gradients)

    default, native = (in_new_graph(dtype, functools.partial(of, flag)) for flag in (False, True))
    return [
        "step %d, array %d" % (step, index)
        for step, (expected, found) in enumerate(zip(default, native))
        for index, pair in enumerate(zip([*expected[0], *expected[1]], [*found[0], *found[1]]))
        if not same(*pair)
    ]


def native_lookups_against_dense(class_name, name, dtype):
    """As `lookups_against_dense`, with `native=True` for the lookups."""
    return lookups_against_dense(class_name, name, dtype, native=True)


def lookups_against_dense(class_name, name, dtype, **path):
    """Where gradients of lookups give other bits than dense ones: a list of texts.

    Each edge value is in a row that is looked up; each other row is not.
    """
    arguments = arguments_of(class_name, name)
    edges = edge_values(dtype)
    table = np.repeat(np.linspace(-1, 1, 2 * len(edges)), 3).reshape(-1, 3).astype(dtype)
    rows = np.arange(0, len(table), 2)

    def of(lookup):
        variable = K.variable(table, dtype=dtype)
        fed = tf.placeholder(dtype, (len(rows), 3))
        if lookup:
            loss = tf.reduce_sum(tf.gather(variable, rows) * fed)
        else:
            dense = tf.scatter_nd(rows[:, None], fed, table.shape)
            loss = tf.reduce_sum(variable * dense)
        of_lookups = path if lookup else {}
        optimizer = getattr(keras_optimizers, class_name)(**arguments, **of_lookups)
        updates = optimizer.get_updates(loss, [variable])
        found = []
        for step in range(STEPS):
            given = np.stack([np.roll(edges, 7 * step + column) for column in range(3)], 1)
            K.get_session().run(updates, {fed: given})
            found.append([K.get_value(variable), *optimizer.get_weights()])
        return found

    dense = in_new_graph(dtype, lambda: of(False))
    sparse = in_new_graph(dtype, lambda: of(True))
    return [
        "step %d, array %d" % (step, index)
        for step, pair in enumerate(zip(dense, sparse))
        for index, (one, other) in enumerate(zip(*pair))
        if not same(one, other)
    ]


CHECKS = {
    "upstream": against_upstream,
    "NumPy": against_numpy,
    "fused, NumPy": fused_against_numpy,
    "lookups, dense": lookups_against_dense,
    "native, default": native_against_default,
    "native lookups, dense": native_lookups_against_dense,
}
# What a check leaves out. A huge rate makes parameters in which nothing is left but differences of
# roundings. `clipnorm` adds up the squares of an `IndexedSlices` in another order than of a dense
# gradient, and a norm that is NaN makes rows NaN that no batch has touched only where there is a
# dense gradient, with upstream's classes as with ours.
NOT_COMPARED = {
    "upstream": ("global_clipnorm=0", "global_clipnorm=1"),
    "NumPy": ("lr=1e-42", "lr=1e30"),
    "fused, NumPy": ("lr=1e-42", "lr=1e30"),
    "lookups, dense": ("clipnorm=0", "clipnorm=1", "global_clipnorm=1"),
    "native, default": (),
    "native lookups, dense": ("clipnorm=0", "clipnorm=1", "global_clipnorm=1"),
}


def cases(checks=tuple(CHECKS), dtypes=tuple(TOLERANCE)):
    """All that there is to compare: (check, class, arguments, dtype)."""
    for check, class_name, name, dtype in itertools.product(checks, CLASS_NAMES, ARGUMENTS, dtypes):
        arguments = arguments_of(class_name, name)
        if arguments is None or name in NOT_COMPARED[check]:
            continue
        # A rate or decay that is infinite makes rows NaN that no batch has touched only where
        # there is a dense gradient: infinity times zero.
        rates = [arguments.get("lr", 0.0), arguments.get("decay", 0.0)]
        finite = np.isfinite(np.array(rates, dtype)).all()
        if finite or "lookups" not in check:
            yield check, class_name, name, dtype


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", choices=sorted(CHECKS), action="append")
    parser.add_argument("--dtype", choices=sorted(TOLERANCE), action="append")
    options = parser.parse_args()
    tf.logging.set_verbosity(tf.logging.ERROR)
    chosen = list(cases(options.check or tuple(CHECKS), options.dtype or tuple(TOLERANCE)))
    if not native_op_is_there():
        print("the native op cannot be had on this machine: its checks are left out")
        chosen = [case for case in chosen if not case[0].startswith("native")]
    failed = 0
    for number, case in enumerate(chosen, 1):
        wrong = CHECKS[case[0]](*case[1:])
        if wrong:
            failed += 1
            print("%s, %s(%s), %s: %d: %s" % (*case, len(wrong), "; ".join(wrong[:3])), flush=True)
        if sys.stderr.isatty():
            print("\r%d of %d" % (number, len(chosen)), end="", file=sys.stderr, flush=True)
    elements = sum(value.size for value in problem("float32")[0])
    print(
        "extremes: %d cases of %d steps on %d or more elements, %d failures"
        % (len(chosen), STEPS, elements, failed)
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
