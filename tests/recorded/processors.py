"""Which recording belongs to this processor.

TensorFlow 1.x takes float32 square roots on a CPU by the processor's own approximation. Its last
bits differ between Intel and AMD, so a recording is equal to the bit only on a processor that has
the roots of the one it was made on. `tf110.npz` was made on an Intel processor; a file
`tf110-NAME.npz` holds the arrays in which another processor differs.

Runs under TensorFlow 1.10 (Python 3.6) and 1.15 alike.
"""

import os

import numpy as np

from tests.recorded import cases

FOLDER = os.path.dirname(os.path.abspath(__file__))
FIRST = "tf110.npz"
# Share of an array's scale by which another processor may differ; AMD differs by 6e-6 at most.
TOLERANCE = 2e-5
# Cases whose parameters follow from what is recorded and from square roots alone.
_OF_ROOTS = ("adagrad", "adagrad_epsilon")
_USUAL = {"lr": 0.01, "epsilon": 1e-7}


def recordings():
    """All recordings: arrays by key, by the name of the file that completes the first one."""
    first = dict(np.load(os.path.join(FOLDER, FIRST)))
    found = {FIRST: first}
    for name in sorted(os.listdir(FOLDER)):
        if name.startswith("tf110-") and name.endswith(".npz"):
            found[name] = dict(first)
            found[name].update(np.load(os.path.join(FOLDER, name)))
    return found


def of_this_processor(tensorflow):
    """The recording of a processor like this one: (file name, arrays); (None, the first) without.

    Arguments:
        tensorflow: the module, with the interface of TensorFlow 1.x.
    """
    found = recordings()
    for name, arrays in found.items():
        if all(_has_these_roots(tensorflow, case, arrays) for case in _OF_ROOTS):
            return name, arrays
    return None, found[FIRST]


def _has_these_roots(tensorflow, case, arrays):
    """Whether plain ops on the recorded sums of squares give the recorded parameters.

    No optimizer takes part, so a defect in one cannot choose the recording.
    """
    options = dict(_USUAL, **cases.TRAJECTORIES[case][1])
    parameters = cases.initial_values(case, "float32")
    with tensorflow.Graph().as_default(), tensorflow.Session() as session:
        feeds = [
            [tensorflow.placeholder("float32", shape) for _ in range(3)] for shape in cases.SHAPES
        ]
        moved = [
            parameter
            - np.float32(options["lr"])
            * gradient
            / (tensorflow.sqrt(total) + np.float32(options["epsilon"]))
            for parameter, gradient, total in feeds
        ]
        for step, gradients in enumerate(cases.gradients(case, "float32")):
            totals = [arrays["%s/weight_%d" % (case, i)][step] for i in range(len(feeds))]
            expected = [arrays["%s/parameter_%d" % (case, i)][step] for i in range(len(feeds))]
            values = zip(feeds, zip(parameters, gradients, totals))
            feed_dict = {feed: one for feeds_, given in values for feed, one in zip(feeds_, given)}
            for one, other in zip(session.run(moved, feed_dict), expected):
                if one.tobytes() != other.tobytes():
                    return False
            parameters = expected
    return True


def far_apart(one, other):
    """Whether two arrays differ by more than another processor explains."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return True
    scale = np.max(np.abs(one)) if one.size else 0
    difference = np.abs(one.astype("float64") - other.astype("float64"))
    return not np.all(difference <= TOLERANCE * scale)
