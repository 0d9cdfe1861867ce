"""The groups of an HDF5 file that Keras 3 writes: the optimizer's variables, and the layers'.

The optimizer's are optimizer/vars/0, 1, ...; those of the layers are layers/dense/vars/0, ...,
named by class and not by layer.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from keras_optimizers.checkpoint.architecture import weight_places
from keras_optimizers.checkpoint.architecture.layers import (
    is_trainable,
    layer_configs,
    layer_order,
    own_name,
)
from keras_optimizers.checkpoint.eras import configs, layouts, weight_lists
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.eras.releases import release_of
from keras_optimizers.checkpoint.eras.weight_lists import Weight
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats.archive_files import Archive
from keras_optimizers.checkpoint.matching import Candidate, with_slots_though_fixed
from keras_optimizers.checkpoint.state import OptimizerState, Parameter, Provenance
from keras_optimizers.checkpoint.storage import hdf5

# Where the optimizer inside a wrapper keeps its variables, in Keras 3 and before.
_INNER = ("inner_optimizer/", "_optimizer/")


def state_in(
    layout: Layout,
    serialized: Dict[str, Any],
    weights_file: Any,
    candidates: Optional[List[Candidate]],
    provenance: Provenance,
    known_class: Optional[str],
) -> OptimizerState:
    """The optimizer's state, from its serialized form and the variables in `weights_file`.

    Arguments:
        layout: of the era that wrote the file.
        serialized: {"class_name": ..., "config": ...}, perhaps of a wrapper.
        weights_file: an open HDF5 file or group.
        candidates: the model's variables, None where they are not known.
        provenance: what the state says about where it is from.
        known_class: the class that the user gave, which overrules the file.

    Raises:
        CheckpointError: If the class is unknown, or there are no variables.
    """
    path = provenance.path
    outer = serialized
    serialized, left_out = configs.unwrapped(serialized)
    class_name = configs.class_name_of(known_class or serialized.get("class_name"), path)
    options, notes = configs.parse(layout, class_name, serialized["config"], path)
    weights: List[Weight] = []
    for inside in ("",) if serialized is outer else _INNER:
        weights = weights or _optimizer_weights(weights_file, inside, path)
    if not weights:
        raise CheckpointError(
            f"{path!r} holds no optimizer's variables. Keras 2.13 to 2.15 save none of "
            "tf.keras.optimizers.legacy in a .keras file; save the model as .h5 there."
        )
    weights, is_scaled = weight_lists.inside_loss_scale(weights)
    if is_scaled:
        left_out = dict(configs.LEFT_OUT_LOSS_SCALE)
    content = weight_lists.parse(layout, class_name, options, weights, candidates, path)
    scalars = dict(content.scalars)
    rate = scalars.pop("learning_rate", None)
    if rate is not None and not layouts.is_scheduled(layout, options):
        options["lr"] = float(rate)
    state = OptimizerState(
        class_name,
        options,
        content.iterations,
        content.parameters,
        content.slots
        or weight_lists.initial_slots(layout, class_name, serialized["config"], content.parameters),
        scalars,
        provenance,
        notes,
    )
    state.left_out.update(with_slots_though_fixed(candidates, content.parameters))
    state.left_out.update(left_out)
    return state


def _optimizer_weights(weights_file: Any, inside: str, path: str) -> List[Weight]:
    found = weights_file.get(f"optimizer/{inside}vars")
    return [] if found is None else _numbered(found, "optimizer", path)


def _numbered(group: Any, name: str, path: str) -> List[Weight]:
    """The datasets 0, 1, ... of a group."""
    weights: List[Weight] = []
    while str(len(weights)) in group:
        dataset = group[str(len(weights))]
        weights.append(Weight(f"{name}/{len(weights)}", hdf5.array(dataset, path)))
    return weights


def model_variables(
    weights_file: Any, config: Dict[str, Any], path: str
) -> Optional[List[Candidate]]:
    """The layers' variables in the model's order; None where the order is not told."""
    found = layer_candidates(weights_file, config, path)
    return None if found is None else [candidate for _, candidate in found]


def unfreeze_what_was_trained(archive: Archive, parameters: Sequence[Parameter]) -> List[str]:
    """Change the archive's config where its Keras trained layers that the config holds fixed.

    Keras 3.0 and 3.1 do so if a layer's constructor is given `trainable=False`. A later Keras would
    hold such a layer fixed, and then takes no slot of the file at all.

    Arguments:
        parameters: those that the optimizer has slots of.

    Returns:
        The layers' names.
    """
    version = str(archive.metadata.get("keras_version", ""))
    if not release_of(layouts.KERAS_3, version).trains_fixed_layers:
        return []
    found = layer_candidates(archive.weights, archive.config, archive.path) or []
    trained = {parameter.name for parameter in parameters}
    owners = {owner for owner, one in found if one.trainable is False and one.name in trained}
    changed = []
    for layer in layer_configs(archive.config) if owners else ():
        if own_name(layer) in owners and not is_trainable(layer["config"]):
            layer["config"]["trainable"] = True
            changed.append(str(own_name(layer)))
    return changed


def layer_candidates(
    weights_file: Any, config: Dict[str, Any], path: str
) -> Optional[List[Tuple[str, Candidate]]]:
    """The variables in the model's order, each with the outermost model's layer that it is in.

    None where the model is of an unknown kind, or other variables are there than it should have.
    """
    try:
        classes = {layer.name: layer.class_name for layer in layer_order(config)}
        places = weight_places.layer_variables(config)
    except (CheckpointError, KeyError, TypeError, ValueError, AttributeError):
        return None
    found = []
    for layer in places:
        paths = [*layer.trained, *layer.fixed]
        sides = [side for side in ("forward_layer", "backward_layer") if side in paths[0]]
        for number, place in enumerate(paths):
            if not isinstance(weights_file.get(place), hdf5.require_h5py().Dataset):
                return None
            side = [one for one in ("forward_layer", "backward_layer") if one in place] or sides
            index, count = int(place.rpartition("/")[2]), len(paths) // (2 if side else 1)
            variable = _variable_name(classes.get(layer.name, ""), index, count)
            name = "/".join([layer.name, *side, variable])
            array = hdf5.array(weights_file[place], path)
            trainable = None if number < len(layer.trained) else False
            found.append((layer.owner, Candidate(name, array, trainable)))
    return found


def _variable_name(class_name: str, index: int, count: int) -> str:
    """The usual name of a layer's variable, else its number."""
    names: Sequence[str] = {
        "Embedding": ("embeddings",),
        "LSTM": ("kernel", "recurrent_kernel", "bias"),
        "GRU": ("kernel", "recurrent_kernel", "bias"),
        "SimpleRNN": ("kernel", "recurrent_kernel", "bias"),
    }.get(class_name, ())
    if class_name.startswith("BatchNorm") and count == 4:
        names = ("gamma", "beta", "moving_mean", "moving_variance")
    if (class_name == "Dense" or class_name.startswith("Conv")) and count <= 2:
        names = ("kernel", "bias")
    return names[index] if index < len(names) else f"variable_{index}"
