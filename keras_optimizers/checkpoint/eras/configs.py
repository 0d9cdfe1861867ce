"""Optimizers' configs: what each era calls the hyperparameters, to our names and back."""

import math
from typing import Any, Dict, List, Optional, Tuple

from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.mathematics import EXTENSIONS
from keras_optimizers.reference import CLIPPING, OPTIMIZERS

FLAGS = ("nesterov", "amsgrad", "centered", "use_ema", "epsilon_inside_root")
# Known, and of no consequence for a step.
_IGNORED = (
    "name",
    "jit_compile",
    "is_legacy_optimizer",
    "ema_momentum",
    "ema_overwrite_frequency",
    "initial_accumulator_value",
    "fused",
    "native",
)

_ALIASES = {"adamw": "adam"}
_ADAMW_DEFAULT = 0.004
_WRAPPERS = ("LossScaleOptimizer", "LossScaleOptimizerV3")

# Losses and metrics that every Keras knows by both names.
_LONG_NAMES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "kld": "kullback_leibler_divergence",
    "acc": "accuracy",
}


def class_name_of(value: Any, path: str) -> str:
    """One of our class names for what a file calls its class, in any era's spelling.

    AdamW is Adam with a weight decay.

    Raises:
        CheckpointError: If it is another optimizer.
    """
    if not isinstance(value, str):
        raise CheckpointError(f"Cannot read {path!r}: its optimizer's class is {value!r}.")
    name = known_class(value)
    if name is not None:
        return name
    raise CheckpointError(
        f"Cannot convert {path!r}: it holds the state of {value!r}, which has no counterpart "
        f"among {', '.join(OPTIMIZERS)}. If it computes what one of these does, say --class NAME."
    )


def known_class(spelling: str) -> Optional[str]:
    """One of our class names for any era's spelling of it; None for another optimizer."""
    plain = spelling.split(">")[-1].split(".")[-1].lower()
    plain = _ALIASES.get(plain, plain)
    return next((name for name in OPTIMIZERS if plain == name.lower()), None)


def parse(
    layout: Layout, class_name: str, config: Dict[str, Any], path: str
) -> Tuple[Dict[str, Any], List[str]]:
    """Hyperparameters by our names, and sentences about what was assumed or not understood.

    Raises:
        CheckpointError: If a value is not of its kind.
    """
    found: Dict[str, Any] = {}
    notes: List[str] = []
    scheduled: Dict[str, Any] = {}
    clipping = {theirs: ours for ours, theirs in layout.clipping.items()}
    known = OPTIMIZERS[class_name].defaults
    for key, value in config.items():
        name = "lr" if key in ("learning_rate", "lr") else clipping.get(key, key)
        if name == "decay" and class_name == "Nadam":
            name = "schedule_decay"  # OptimizerV2's name of it
        if value is None and name != "epsilon":
            continue
        if key in _IGNORED or (key in EXTENSIONS and value == EXTENSIONS[key] and key not in known):
            continue
        if name == "lr" and isinstance(value, dict):
            scheduled = _parse_schedule(value, path)
        elif name == "epsilon" and value is None:
            found[name] = 1e-7
        elif name in FLAGS:
            found[name] = bool(value)
        elif name in known or name in CLIPPING or name in EXTENSIONS:
            found[name] = _number(key, value, path)
        else:
            notes.append(f"The config's {key}={value!r} is unknown here and was left aside.")
    if scheduled and found.get("decay"):
        raise CheckpointError(
            f"Cannot read {path!r}: its learning rate is a schedule, and it has decay="
            f"{found['decay']!r} besides, which no other era combines. Set one of the two aside."
        )
    found.update(scheduled)  # not what an unused `decay` says
    if found.get("global_clipnorm") == 0 and layout.clipping.get("global_clipnorm") == "clipnorm":
        del found["global_clipnorm"]  # no clipping, in standalone Keras
    if layout.schedule_decay is not None and class_name == "Nadam":
        found["schedule_decay"] = layout.schedule_decay
    if layout.decay == "schedule" and "decay" in known:
        found.setdefault("decay", 0.0)  # no argument there: a rate that is no schedule is fixed
    if layouts.has_epsilon_inside(layout, class_name, found):
        found["epsilon_inside_root"] = True
    return found, notes


def _number(key: str, value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise CheckpointError(f"Cannot read {path!r}: its optimizer's {key} is {value!r}.")
    return value


def _parse_schedule(schedule: Dict[str, Any], path: str) -> Dict[str, Any]:
    """Keras 2's `decay` is InverseTimeDecay; any other schedule is kept as it is."""
    config = schedule.get("config")
    if not isinstance(config, dict):
        raise CheckpointError(f"Cannot read {path!r}: its learning rate is {schedule!r}.")
    is_inverse_time = str(schedule.get("class_name")).split(">")[-1] == "InverseTimeDecay"
    if is_inverse_time and not config.get("staircase"):
        rate = _number("initial_learning_rate", config.get("initial_learning_rate"), path)
        decay_rate = _number("decay_rate", config.get("decay_rate"), path)
        return {
            "lr": rate,
            "decay": decay_rate / _number("decay_steps", config.get("decay_steps"), path),
        }
    found: Dict[str, Any] = {"learning_rate_schedule": schedule}
    if isinstance(config.get("initial_learning_rate"), (int, float)):
        found["lr"] = config["initial_learning_rate"]
    return found


def write(layout: Layout, class_name: str, options: Dict[str, Any]) -> Dict[str, Any]:
    """The config of an era for hyperparameters that fit it (see `fitting`)."""
    config: Dict[str, Any] = {}
    if layout.config_name:
        names = {"class_name": class_name, "class_lower": class_name.lower()}
        config["name"] = layout.config_name.format(**names)
    config.update(layout.unset_arguments)
    for name in OPTIMIZERS[class_name].defaults:
        value = options.get(name)  # a scheduled rate has no value
        if name == "lr":
            config[layout.learning_rate] = _rate(layout, class_name, options)
        elif name == "decay":
            if layout.decay == "argument":
                config[name] = value
        elif name == "schedule_decay":
            if layout.schedule_decay is None:
                config.update(dict.fromkeys(layout.schedule_decay_names, value))
        else:
            config[name] = value
    if class_name == "RMSprop" and layout.extended_rmsprop:
        config["momentum"] = options.get("momentum", 0.0)
        config["centered"] = bool(options.get("centered", False))
    if class_name == "Adagrad" and layout.accumulator_argument:
        config["initial_accumulator_value"] = 0.0
    for ours, theirs in layout.clipping.items():
        if options.get(ours) is not None:
            config[theirs] = options[ours]
    for name in ("weight_decay", "use_ema"):
        if name in config and options.get(name) is not None:
            config[name] = options[name]
    return config


def _rate(layout: Layout, class_name: str, options: Dict[str, Any]) -> Any:
    schedule = options.get("learning_rate_schedule")
    if schedule is not None:
        return _serialized(layout, schedule["class_name"].split(">")[-1], schedule["config"])
    if layout.decay == "schedule" and options.get("decay"):
        config = {
            "initial_learning_rate": options["lr"],
            "decay_steps": 1,
            "decay_rate": options["decay"],
            "staircase": False,
            "name": "InverseTimeDecay",
        }
        return _serialized(layout, "InverseTimeDecay", config)
    return options["lr"]


def _serialized(layout: Layout, class_name: str, config: Dict[str, Any]) -> Dict[str, Any]:
    # Keras 3 refuses a name of None, which older ones write.
    named = {key: value for key, value in config.items() if key != "name" or value is not None}
    written: Dict[str, Any] = {"class_name": class_name, "config": named}
    if layout.module:
        written.update(module=layout.module + ".schedules", registered_name=None)
    return written


def serialized_optimizer(layout: Layout, class_name: str, config: Dict[str, Any]) -> Dict[str, Any]:
    """The dict that an era's `deserialize` takes.

    One without `is_legacy_optimizer` makes TensorFlow 2.11 and later build the class of 2.10.
    """
    written: Dict[str, Any] = {"class_name": class_name, "config": config}
    if layout.module:
        registered = class_name if layout.registers_classes else None
        written.update(module=layout.module, registered_name=registered)
    return written


LEFT_OUT_LOSS_SCALE = {
    "loss_scale": "the wrapper LossScaleOptimizer and its scale: put it around the new optimizer "
    "in code, where it starts from its initial scale"
}


def unwrapped(serialized: Any) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """The optimizer inside a wrapper that scales the loss, and what of the wrapper is left out.

    Other optimizers are returned as they are.
    """
    class_name = str(serialized.get("class_name")).split(">")[-1]
    config = serialized.get("config")
    inner = config.get("inner_optimizer") if isinstance(config, dict) else None
    if class_name not in _WRAPPERS or not isinstance(inner, dict):
        return serialized, {}
    return inner, dict(LEFT_OUT_LOSS_SCALE)


def by_name(layout: Layout, name: str, path: str) -> Dict[str, Any]:
    """What an optimizer that `compile` was given by name serializes to: the era's defaults."""
    class_name = class_name_of(name, path)
    options = dict(OPTIMIZERS[class_name].defaults, **layout.defaults.get(class_name, {}))
    if layout.decay == "schedule":
        options.pop("decay", None)
    options.pop("schedule_decay", None)
    if name.lower() == "adamw":
        options["weight_decay"] = _ADAMW_DEFAULT
    return {"class_name": name, "config": options}


def long_names(value: Any) -> Any:
    """Losses and metrics by the names that every Keras knows; Keras 3 loads no short ones."""
    if isinstance(value, list):
        return [long_names(one) for one in value]
    if isinstance(value, dict):
        return {key: long_names(one) for key, one in value.items()}
    return _LONG_NAMES.get(value, value) if isinstance(value, str) else value
