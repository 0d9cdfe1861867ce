"""Where each release of TensorFlow keeps the old optimizers, and what else differs: one table.

TensorFlow 2 still has the classes of TensorFlow 1: as `optimizer_v1`, inside the Keras 2 that
belongs to the release. That Keras has moved four times. To support another release, add a line to
`RELEASES`. Nothing here imports TensorFlow.
"""

from typing import Any, NamedTuple, Optional, Sequence, Tuple

Numbers = Tuple[int, int]


class Release(NamedTuple):
    """Some releases of TensorFlow: names of modules, most of them private, each with its reason.

    In the names `{}` stands for `source`.
    """

    # The first and the last release, by the first two numbers of the version.
    first: Numbers
    last: Numbers
    # The package in which Keras 2 is written: `tf.keras.Model.__module__` begins with it.
    source: str = "tensorflow.python.keras"
    # The public module of that Keras with the names of TensorFlow 1; None: `tf.compat.v1.keras`.
    keras: Optional[str] = None
    # Other modules under which scripts import it: `install` replaces the names in each.
    also_imported_as: Tuple[str, ...] = ("tensorflow.keras", "tensorflow.compat.v1.keras")
    # `Optimizer` and `TFOptimizer`: `tf.keras.Model.compile` accepts only their subclasses, and
    # the public `tf.keras.optimizers.Optimizer` is another class (OptimizerV2, or a later one).
    optimizers: str = "{}.optimizer_v1"
    # Where that module looks up `assign` and `assign_add`, as an attribute of it.
    assignments: str = "state_ops"
    # What `compile`, `load_model` and `clone_model` look names up in.
    lookup: str = "{}.optimizers"
    # `OptimizerV2`: `get` hands such an optimizer back unchanged.
    optimizer_v2: str = "{}.optimizer_v2.optimizer_v2"
    # The session of tf.keras, and its list of variables that wait to be initialized.
    backend: str = "{}.backend"
    # What `custom_object_scope` registers, where that holds for one thread only.
    custom_objects: Optional[str] = None
    # The file that sums up a model as JSON, old style, where the public function writes a new one.
    serialization: str = "{}.utils.generic_utils"
    # By dtype, how many elements at a time go through an approximate root; the elements left over
    # at the end of a tensor do not, and round otherwise.
    packets: Tuple[Tuple[str, int], ...] = (("float32", 8), ("float16", 16))
    # Whether momentum's kernel for rows passes over a whole table sooner than the dense kernel and
    # a table of zeros. In 2.20 and 2.21 it does not: set it to True and see
    # `keras-optimizers bench --case embedding --optimizer SGD`.
    momentum_of_rows_is_fast: bool = True
    # The C++ standard in which TensorFlow's headers are written.
    cpp_standard: str = "c++14"
    # Whether `tf.keras` is Keras 3, unless the environment variable TF_USE_LEGACY_KERAS is 1.
    needs_tf_keras: bool = False

    def module(self, field: str) -> str:
        """The name of the module that the field names."""
        return getattr(self, field).format(self.source)


def _keras_2(first: Numbers, last: Numbers, source: str, **more: Any) -> Release:
    """An entry for a Keras 2 that is a package beside TensorFlow."""
    settings = {
        "also_imported_as": (
            "tensorflow.keras",
            "tensorflow.compat.v1.keras",
            "keras",
            "keras.api._v2.keras",
        ),
        "optimizers": "{}.optimizers.optimizer_v1",
        "assignments": "tf.compat.v1",
        "optimizer_v2": "{}.optimizers.legacy.optimizer_v2",
        "custom_objects": "{}.saving.object_registration",
        "serialization": "{}.saving.legacy.serialization",
        "cpp_standard": "c++17",
    }
    return Release(first, last, source, **dict(settings, **more))


def _tf_keras(first: Numbers, last: Numbers, **more: Any) -> Release:
    """An entry for the Keras 2 that is the package tf_keras."""
    return _keras_2(
        first,
        last,
        "tf_keras.src",
        keras="tf_keras.api._v1.keras",
        also_imported_as=(
            "tensorflow.keras",
            "tensorflow.compat.v1.keras",
            "tf_keras",
            "tf_keras.api._v2.keras",
        ),
        needs_tf_keras=True,
        **more,
    )


# Releases that do not exist yet are expected to be like the last one.
_AND_LATER = (99, 0)

RELEASES: Sequence[Release] = (
    Release((1, 15), (1, 15), optimizers="{}.optimizers", packets=(("float32", 8),)),
    Release(
        (2, 4),
        (2, 5),
        also_imported_as=(
            "tensorflow.keras",
            "tensorflow.compat.v1.keras",
            "tensorflow.python.keras.api._v2.keras",
        ),
    ),
    _keras_2(
        (2, 6),
        (2, 8),
        "keras",
        optimizers="{}.optimizer_v1",
        optimizer_v2="{}.optimizer_v2.optimizer_v2",
        custom_objects=None,
        serialization="{}.utils.generic_utils",
        cpp_standard="c++14",
    ),
    _keras_2(
        (2, 9),
        (2, 10),
        "keras",
        optimizer_v2="{}.optimizers.optimizer_v2.optimizer_v2",
        custom_objects=None,
        serialization="{}.utils.generic_utils",
    ),
    _keras_2((2, 11), (2, 11), "keras", optimizer_v2="{}.optimizers.optimizer_v2.optimizer_v2"),
    _keras_2((2, 12), (2, 12), "keras"),
    _keras_2((2, 13), (2, 15), "keras.src"),
    # `tf_keras` is also what `tf.keras` of 2.14 and 2.15 can be told to be.
    _tf_keras((2, 14), (2, 19)),
    _tf_keras((2, 20), _AND_LATER, momentum_of_rows_is_fast=False),
)

SUPPORTED = "TensorFlow 1.15, or 2.4 and later"


def numbers_of(version: str) -> Numbers:
    """The first two numbers of a version such as "2.15.1" or "1.15.5+nv23.03"."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def release_of(version: str, model_module: str = "") -> Optional[Release]:
    """The entry for a version; None where there is none.

    Arguments:
        version: of TensorFlow.
        model_module: `tf.keras.Model.__module__`, which decides where a release can have two.
    """
    found = [
        release for release in RELEASES if release.first <= numbers_of(version) <= release.last
    ]
    for release in found:
        if model_module.startswith(release.source + "."):
            return release
    return found[-1] if found else None
