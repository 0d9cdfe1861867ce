"""The arguments of one layer in the words of another dialect, and the objects that they hold.

What an argument means in each dialect is in `layer_arguments`.
"""

from typing import Any, Optional, Tuple

from keras_optimizers.checkpoint.architecture import hard_sigmoid
from keras_optimizers.checkpoint.architecture.layer_arguments import (
    ACTIVATIONS,
    ARGUMENTS,
    CONSTRAINTS,
    EARLY_DEFAULTS,
    EXTRAS,
    INITIALIZERS,
    KERAS_2,
    KERAS_3,
    LACKING,
    OF_ALL_LAYERS,
    SCALED_INITIALIZERS,
    Extra,
)
from keras_optimizers.checkpoint.architecture.layers import Config
from keras_optimizers.checkpoint.architecture.translation import (
    Translation,
    UntranslatableModel,
    dtype_of,
    written_object,
)


def translate_arguments(
    translation: Translation, class_name: str, name: str, given: Config
) -> Tuple[str, Config]:
    """The class and the arguments of a layer in the target's words."""
    given = dict(EARLY_DEFAULTS.get(class_name, {}), **given)
    _to_keras_2(translation, class_name, name, given)
    config: Config = {}
    for argument, value in given.items():
        if argument in ("name", "trainable", "dtype"):
            continue
        if argument in ARGUMENTS[class_name]:
            dtype = dtype_of(given.get("dtype"), name)
            config[argument] = _value(translation, argument, value, name, dtype)
        elif _is_written(translation, class_name, name, argument, value):
            config[argument] = value
    if config.get("activity_regularizer") is None:
        config.pop("activity_regularizer", None)  # no argument of some layers in Keras 3
    if translation.to == KERAS_3:
        return _to_keras_3(class_name, config)
    return class_name, config


def _to_keras_2(translation: Translation, class_name: str, name: str, given: Config) -> None:
    """Give a layer's arguments the names and the forms of Keras 2, and check what is special."""
    if class_name == "LeakyReLU" and "negative_slope" in given:
        given["alpha"] = given.pop("negative_slope")
    if class_name in ("ReLU", "LeakyReLU", "ELU", "ThresholdedReLU"):
        # Keras 2.2 and TensorFlow 1.10 write some numbers as text.
        for argument in ("max_value", "negative_slope", "threshold", "alpha", "theta"):
            if isinstance(given.get(argument), str):
                given[argument] = None if given[argument] == "None" else float(given[argument])
    if class_name == "Dropout" and not isinstance(given.get("seed"), (int, type(None))):
        given["seed"] = None
    if class_name.startswith("SeparableConv") and "depth_multiplier" not in given:
        given["depth_multiplier"] = 1
        translation.note(
            f"The layer {name!r} does not say what its depth_multiplier is (TensorFlow 1.10 "
            "leaves it out): 1 is taken."
        )
    if given.get("padding") == "causal" and translation.to == KERAS_2:
        translation.note(
            f"The layer {name!r} has padding='causal': TensorFlow 1.10 cannot read it."
        )
    interpolation = given.get("interpolation", "nearest")
    if interpolation != "nearest" and (translation.to == KERAS_2 or not translation.is_from_newest):
        raise UntranslatableModel(
            f"The layer {name!r} has interpolation={interpolation!r}, whose grid is not the same "
            "in Keras 2.3 and in tf.keras."
        )


def _to_keras_3(class_name: str, config: Config) -> Tuple[str, Config]:
    """What has another name there."""
    if class_name == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = config.pop("alpha")
    if class_name == "ThresholdedReLU":
        return "ReLU", {"threshold": config["theta"]}
    return class_name, config


def _is_written(
    translation: Translation, class_name: str, name: str, argument: str, value: Any
) -> bool:
    """Whether an argument of single eras goes into the target.

    Raises:
        UntranslatableModel: If it does not, and that is another layer then.
    """
    unknown = OF_ALL_LAYERS.get(argument, Extra((None,)))
    extra = EXTRAS.get(class_name, {}).get(argument, unknown)
    without_effect = is_without_effect(extra, value)
    if translation.to in extra.known:
        if translation.to != KERAS_2 or ... in extra.without_effect:
            return True
        if without_effect:
            return False
        if argument in LACKING:
            translation.note(
                f"The layer {name!r} has {argument}={value!r}: {LACKING[argument]} cannot read it."
            )
        return True
    if without_effect:
        return False
    if extra.is_said:
        translation.note(
            f"The layer {name!r} had {argument}={value!r}, which {translation.to} does not know."
        )
        return False
    raise UntranslatableModel(unknown_argument(name, argument, value))


def unknown_argument(name: str, argument: str, value: Any) -> str:
    """The sentence that refuses a layer's argument which is not known here."""
    return f"The layer {name!r} has {argument}={value!r}, which other eras do not know."


def is_without_effect(extra: Extra, value: Any) -> bool:
    """Whether a layer computes the same with this value of the argument and without it."""
    if ... in extra.without_effect:
        return True
    return any(value == one and (value is one or one is not None) for one in extra.without_effect)


def _value(
    translation: Translation, argument: str, value: Any, name: str, dtype: Optional[str]
) -> Any:
    if argument.endswith("initializer"):
        return _initializer(translation, value, name)
    if argument.endswith("regularizer"):
        return _regularizer(translation, value, name)
    if argument.endswith("constraint"):
        return _constraint(translation, value, name)
    if argument.endswith("activation"):
        return _activation(translation, value, name, dtype)
    if argument == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    return value


def _activation(
    translation: Translation, value: Any, name: str, dtype: Optional[str] = None
) -> Any:
    if value is None:
        return None
    if hard_sigmoid.is_it(value):
        return value if translation.to == KERAS_3 else "hard_sigmoid"
    if isinstance(value, dict):
        value = value.get("config")
    plain = {"swish": "silu"}.get(value, value) if isinstance(value, str) else None
    if plain not in ACTIVATIONS:
        raise UntranslatableModel(
            f"The layer {name!r} has an activation of its own"
            + (f", {plain!r}." if plain is not None else ".")
        )
    if plain == "hard_sigmoid" and translation.to == KERAS_3 != translation.own:
        translation.note(
            f"The layer {name!r} uses hard_sigmoid, 0.2 x + 0.5; in Keras 3 that is x / 6 + 0.5. A "
            "Sequential of Rescaling and ReLU takes its place, which Keras 3.10 and later load."
        )
        return hard_sigmoid.in_keras_3(dtype)
    if plain == "hard_sigmoid" and translation.own == KERAS_3 != translation.to:
        raise UntranslatableModel(
            f"The layer {name!r} uses hard_sigmoid: 0.2 x + 0.5 in Keras 2, x / 6 + 0.5 in Keras 3."
        )
    if translation.to not in ACTIVATIONS[plain]:
        raise UntranslatableModel(
            f"The layer {name!r} has the activation {plain!r}, "
            f"which {translation.to} does not have."
        )
    if translation.to == KERAS_2 and plain in LACKING:
        translation.note(f"The layer {name!r} uses {plain!r}: {LACKING[plain]} cannot read it.")
    return "swish" if plain == "silu" and translation.to != KERAS_3 else plain


def _initializer(translation: Translation, value: Any, name: str) -> Any:
    """An initializer; what other eras do not know becomes zeros, for the values follow anyway."""
    if isinstance(value, str):
        value = {"class_name": _camel_case(value), "config": {}}
    class_name, config = value.get("class_name"), dict(value.get("config") or {})
    if class_name in SCALED_INITIALIZERS:
        scale, mode, distribution = SCALED_INITIALIZERS[class_name]
        config.update(scale=scale, mode=mode, distribution=distribution)
        class_name = "VarianceScaling"
    if class_name not in INITIALIZERS or isinstance(config.get("value"), dict):
        translation.note(
            f"The layer {name!r} had an initializer {class_name!r}, now zeros; a checkpoint's "
            "values take their place."
        )
        class_name, config = "Zeros", {}
    kept = {key: config[key] for key in INITIALIZERS[class_name] if key in config}
    if not isinstance(kept.get("seed"), (int, type(None))):
        kept["seed"] = None
    if class_name == "RandomUniform" and kept.get("maxval", 0.0) is None:
        kept["maxval"] = 1.0  # what TensorFlow makes of it
    if "distribution" in kept:
        uniform = kept["distribution"] == "uniform"
        normal = "truncated_normal" if translation.to == KERAS_3 else "normal"
        kept["distribution"] = "uniform" if uniform else normal
    return written_object(class_name, kept, translation.to, "keras.initializers")


def _camel_case(name: str) -> str:
    """glorot_uniform: GlorotUniform."""
    plain = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return {"Normal": "RandomNormal", "Uniform": "RandomUniform", "Zero": "Zeros"}.get(plain, plain)


def _regularizer(translation: Translation, value: Any, name: str) -> Any:
    if value is None:
        return None
    class_name = value.get("class_name") if isinstance(value, dict) else None
    if class_name == "OrthogonalRegularizer" and translation.to != KERAS_2:
        kept = {key: value["config"][key] for key in ("factor", "mode")}
        return written_object(class_name, kept, translation.to, "keras.regularizers")
    if class_name not in ("L1L2", "L1", "L2"):
        raise UntranslatableModel(f"The layer {name!r} has a regularizer of its own.")
    config = value["config"]
    both = {"l1": config.get("l1", 0.0), "l2": config.get("l2", 0.0)}
    return written_object("L1L2", both, translation.to, "keras.regularizers")


def _constraint(translation: Translation, value: Any, name: str) -> Any:
    if value is None:
        return None
    class_name = value.get("class_name") if isinstance(value, dict) else None
    if class_name not in CONSTRAINTS:
        raise UntranslatableModel(f"The layer {name!r} has a constraint of its own.")
    kept = {key: value["config"][key] for key in CONSTRAINTS[class_name] if key in value["config"]}
    return written_object(class_name, kept, translation.to, "keras.constraints")
