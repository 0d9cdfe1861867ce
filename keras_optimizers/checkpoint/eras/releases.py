"""Which era and release a file was written by, and what a release does otherwise than its era."""

import re
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.eras.layout import Layout


class Release(NamedTuple):
    """What some releases of an era do otherwise than its `Layout` says.

    Attributes:
        layouts: the names of the layouts that this is about.
        versions: of Keras, as files say it: the first, and the first that is not meant.
        amsgrad: whether Adam knows AMSGrad.
        slot_order: "model", or "name": slots are in the order of the weights' names, sorted as
            strings (dense_1, dense_10, dense_2); "unknown" where a file does not tell.
        clipnorm: what `clipnorm` bounds: "" for what the layout says, "common" for the norm of
            all gradients together, "unknown" where releases of one version differ.
        momentum_product: where Nadam's product is; "" for where the layout says.
        trains_fixed_layers: whether a layer whose constructor is given `trainable=False` is trained
            all the same.
    """

    layouts: Tuple[str, ...]
    versions: Tuple[str, str]
    amsgrad: bool = True
    slot_order: str = "model"
    clipnorm: str = ""
    momentum_product: str = ""
    trains_fixed_layers: bool = False


RELEASES = (
    # tf.keras 1.4 to 1.8.
    Release((layouts.TF_KERAS_1_10.name,), ("2.0.8", "2.1.3"), amsgrad=False, clipnorm="common"),
    Release((layouts.TF_KERAS_1_10.name,), ("2.1.3", "2.1.6"), clipnorm="common"),
    # 1.9 and 1.10 to 1.12 call themselves the same.
    Release((layouts.TF_KERAS_1_10.name,), ("2.1.6", "2.1.7"), clipnorm="unknown"),
    Release((layouts.KERAS_2_2.name,), ("0", "2.0.0"), amsgrad=False, slot_order="unknown"),
    Release((layouts.KERAS_2_2.name,), ("2.0.0", "2.0.6"), amsgrad=False, slot_order="name"),
    Release((layouts.KERAS_2_2.name,), ("2.0.6", "2.1.3"), amsgrad=False),
    Release(
        (layouts.KERAS_3.name,), ("3.0", "3.2"), momentum_product="first", trains_fixed_layers=True
    ),
    Release((layouts.KERAS_3.name,), ("3.2", "3.10"), momentum_product="first"),
)
_USUAL = Release((), ("", ""))
_UNSAID = Release((layouts.KERAS_2_2.name,), ("", ""), slot_order="unknown")


def release_of(layout: Layout, keras_version: str) -> Release:
    """What the release that calls itself `keras_version` does otherwise than `layout` says."""
    version = numbers_of(keras_version)
    for release in RELEASES:
        first, end = (numbers_of(one) for one in release.versions)
        if layout.name in release.layouts and version and first <= version < end:
            return release
    return _UNSAID if layout.name in _UNSAID.layouts and not version else _USUAL


def numbers_of(version: str) -> Tuple[int, ...]:
    """The numbers that a version begins with."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in found.group().split(".")) if found else ()


def layout_of(config: Dict[str, Any], keras_version: str, names: Sequence[str]) -> Layout:
    """The layout of a whole model's file, from what it says itself.

    Arguments:
        config: the optimizer's config.
        keras_version: the file's attribute.
        names: of the optimizer's weights.
    """
    if keras_version.startswith("3.") and "lr" not in config:
        return layouts.KERAS_3
    first = names[0].split(":")[0].split("/")[-1] if names else ""
    is_tf_keras = keras_version.endswith("-tf")
    if first == "iteration" or ("jit_compile" in config and not config.get("is_legacy_optimizer")):
        return layouts.TF_KERAS_2_11
    if first == "iter" or "name" in config:
        return layouts.OPTIMIZER_V2
    if "learning_rate" in config:
        return layouts.KERAS_2_3
    # TensorFlow 2 still has the old classes; there the version of Keras does not end with "-tf".
    is_tf_keras = is_tf_keras or numbers_of(keras_version) >= (2, 4)
    return layouts.TF_KERAS_1_10 if is_tf_keras else layouts.KERAS_2_2


def archive_layout(config: Dict[str, Any], keras_version: str) -> Layout:
    """The layout of a .keras archive; the arguments are those of `layout_of`."""
    if config.get("is_legacy_optimizer") is True:
        return layouts.OPTIMIZER_V2
    return layouts.KERAS_3 if keras_version.startswith("3") else layouts.TF_KERAS_2_11


def family_of(keras_version: str) -> str:
    """Which versions describe architectures alike: those of one family read each other's."""
    if keras_version.startswith("3."):
        return "keras-3"
    if keras_version.endswith("-tf"):
        early = keras_version.startswith(("2.0.", "2.1."))
        return "tf-keras-1.10" if early else "tf-keras-1.14"
    if keras_version.startswith(("2.0.", "2.1.", "2.2.")):
        return "keras-2.2"
    return "keras-2.3" if keras_version.startswith("2.3") else "tf-keras-2"


def adjust(
    release: Release, class_name: str, options: Dict[str, Any], keras_version: str
) -> Tuple[List[str], Dict[str, str]]:
    """Put what the release means into hyperparameters that were read by the era's layout.

    Returns:
        Notes, and doubts by hyperparameter (see `OptimizerState`).
    """
    notes: List[str] = []
    doubts: Dict[str, str] = {}
    if class_name == "Adam" and not release.amsgrad:
        options.setdefault("amsgrad", False)
    if "clipnorm" in options and release.clipnorm == "common":
        options["global_clipnorm"] = options.pop("clipnorm")
        notes.append(
            f"clipnorm: tf.keras with Keras {keras_version} bounded all gradients' common norm."
        )
    if "clipnorm" in options and release.clipnorm == "unknown":
        doubts["clipnorm"] = (
            "files of tf.keras 1.9 look as those of 1.10 to 1.12 do, but meant the norm of all "
            "gradients together; 1.10's meaning, each by itself, was assumed. Confirm it with "
            f"--set clipnorm={options['clipnorm']}, or give --set global_clipnorm="
            f"{options['clipnorm']}"
        )
    return notes, doubts
