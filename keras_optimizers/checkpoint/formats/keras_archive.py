"""Reading what Keras 3 writes: `.keras` archives, `.weights.h5`, and state files of ours.

An archive is a zip of metadata.json, config.json (architecture and compile arguments) and
model.weights.h5. In the latter the optimizer's variables are optimizer/vars/0, 1, ..., those of
the layers layers/dense/vars/0, ..., named by class and not by layer.
"""

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from keras_optimizers.checkpoint.architecture import weight_places
from keras_optimizers.checkpoint.architecture.layers import (
    DEEPEST,
    has_embeddings,
    has_frozen_normalization,
    layer_order,
)
from keras_optimizers.checkpoint.eras import configs, layouts, releases, weight_lists
from keras_optimizers.checkpoint.eras.layouts import Layout
from keras_optimizers.checkpoint.eras.weight_lists import Weight
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats.format import Reader, ReadRequest
from keras_optimizers.checkpoint.matching import Candidate, with_slots_though_fixed
from keras_optimizers.checkpoint.state import Array, OptimizerState, Provenance
from keras_optimizers.checkpoint.storage import hdf5

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_LARGEST_JSON = 1 << 26
# The layers' group, and what Keras 2.13 calls it.
_FOLDER, _FOLDER_2_13 = "layers", "_layer_checkpoint_dependencies"
# Where the optimizer inside a wrapper keeps its variables, in Keras 3 and before.
_INNER = ("inner_optimizer/", "_optimizer/")
STATE_ATTRIBUTE = "keras_optimizers_config"


class Archive:
    """An open .keras archive: its JSON files and its weights. Use it as a context manager."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder: Optional[str] = None
        self._zip: Optional[zipfile.ZipFile] = None
        self.weights: Any = None
        with _zip_reported(path):
            packed = self._zip = zipfile.ZipFile(path)
            try:
                _check_entries(packed)
                self.config = _json_entry(packed, CONFIG)
                self.metadata = _json_entry(packed, METADATA)
                self._open_weights(packed)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive; arrays that were not read are gone then."""
        if self.weights is not None:
            with contextlib.suppress(Exception):
                self.weights.close()
            self.weights = None
        if self._zip is not None:
            self._zip.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _open_weights(self, packed: zipfile.ZipFile) -> None:
        """Unpack the entry into a temporary folder: h5py needs a file to seek in."""
        self._folder = tempfile.mkdtemp(".partial")
        unpacked = os.path.join(self._folder, "weights.h5")
        with packed.open(WEIGHTS) as entry, open(unpacked, "wb") as target:
            shutil.copyfileobj(entry, target, 1 << 20)
        self.weights = hdf5.open_checked(unpacked, os.path.getsize(unpacked), self.path)
        if _FOLDER_2_13 in self.weights:
            self.weights.close()
            with hdf5.require_h5py().File(unpacked, "r+") as copy:
                _rename_layers(copy)
            self.weights = hdf5.open_checked(unpacked, os.path.getsize(unpacked), self.path)


def _rename_layers(group: Any, depth: int = 0) -> None:
    """Give the layers the names of later Kerases: 2.13 counts by two (dense, dense_2, dense_4)."""
    if depth > DEEPEST:
        raise ValueError("the model is nested too deeply")
    if _FOLDER_2_13 in group:
        group.move(_FOLDER_2_13, _FOLDER)
    layers = group.get(_FOLDER)
    if layers is None:
        return
    names = list(layers)
    ranks: Dict[str, int] = {}
    for name in sorted(names, key=_number):
        base = name.rpartition("_")[0]
        if _number(name) and base in names and f"{base}_1" not in names:
            ranks[base] = ranks.get(base, 0) + 1
            layers.move(name, f"{base}_{ranks[base]}")
    for name in layers:
        _rename_layers(layers[name], depth + 1)


def _number(name: str) -> int:
    """What follows the last "_", as a number; 0 where it is none."""
    ending = name.rpartition("_")[2]
    return int(ending) if ending.isdigit() and "_" in name else 0


def _check_entries(packed: zipfile.ZipFile) -> None:
    """Only entries that an archive of Keras has; nothing is unpacked under a name of theirs."""
    entries = packed.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError("it holds a name twice")
    for name in (CONFIG, WEIGHTS):
        if name not in names:
            raise ValueError(f"it has no {name}")
    for entry in entries:
        if entry.flag_bits & 1:
            raise ValueError("it is encrypted")
        size, stored = entry.file_size, max(entry.compress_size, 1)
        if size > max(1 << 28, 100 * stored):
            raise ValueError(f"{entry.filename!r} unpacks to {size} bytes from {stored}")


def _json_entry(packed: zipfile.ZipFile, name: str) -> Dict[str, Any]:
    if name not in packed.namelist():
        return {}
    if packed.getinfo(name).file_size > _LARGEST_JSON:
        raise ValueError(f"{name} is larger than any model's")
    try:
        value = json.loads(packed.read(name).decode("utf-8"))
    except RecursionError as error:
        raise ValueError(f"{name} is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no object")
    return value


@contextlib.contextmanager
def _zip_reported(path: str) -> Iterator[None]:
    with hdf5.reported(path):
        try:
            yield
        except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as error:
            raise ValueError(str(error) or type(error).__name__) from error
        except Exception as error:
            if type(error).__module__ in ("zlib", "lzma", "_lzma", "struct"):
                raise ValueError(str(error)) from error
            raise


def is_archive(path: str) -> bool:
    """Whether the file begins as zip archives do."""
    try:
        with open(path, "rb") as opened:
            return opened.read(2) == b"PK"
    except OSError:
        return False


def read(request: ReadRequest) -> OptimizerState:
    """The optimizer's state in a .keras archive.

    Raises:
        CheckpointError: If the archive is damaged, or holds no optimizer that is known.
    """
    archive = Archive(request.path)
    try:
        with hdf5.reported(request.path):
            return _read(archive, request.class_name)
    except BaseException:
        archive.close()
        raise


def _read(archive: Archive, known_class: Optional[str]) -> OptimizerState:
    path = archive.path
    compiled = archive.config.get("compile_config")
    serialized = compiled.get("optimizer") if isinstance(compiled, dict) else None
    version = str(archive.metadata.get("keras_version", ""))
    notes = []
    if isinstance(serialized, str):  # compile("adam")
        layout = releases.archive_layout({}, version)
        serialized = configs.by_name(layout, serialized, path)
        notes.append("The model was compiled with the optimizer's name: its era's defaults.")
    if not isinstance(serialized, dict) or not isinstance(serialized.get("config"), dict):
        raise CheckpointError(f"{path!r} holds no optimizer: the model was not compiled.")
    inner, _ = configs.unwrapped(serialized)
    layout = releases.archive_layout(inner["config"], version)
    candidates = _candidates(archive.weights, archive.config, path)
    provenance = Provenance(path, layout.name, layout.title, f"keras {version}")
    state = _state(layout, serialized, archive.weights, candidates, provenance, known_class)
    state.notes += notes
    state.has_embeddings = has_embeddings(archive.config)
    state.has_frozen_normalization = has_frozen_normalization(archive.config)
    state.variables = {one.name: one.array for one in candidates or []}
    state.opened_file = archive
    return state


def model_has_embeddings(path: str) -> Optional[bool]:
    """Whether the model in an archive looks up rows of a parameter."""
    with Archive(path) as archive:
        return has_embeddings(archive.config)


def model_candidates(path: str) -> List[Candidate]:
    """The variables of the model in an archive, read into memory."""
    with Archive(path) as archive, hdf5.reported(path):
        found = _candidates(archive.weights, archive.config, path) or []
        return [one._replace(array=Array.of(one.array.read())) for one in found]


def _state(
    layout: Layout,
    serialized: Dict[str, Any],
    weights_file: Any,
    candidates: Optional[List[Candidate]],
    provenance: Provenance,
    known_class: Optional[str],
) -> OptimizerState:
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


def _candidates(weights_file: Any, config: Dict[str, Any], path: str) -> Optional[List[Candidate]]:
    """The layers' variables in the model's order; None where the order is not told."""
    found = layer_candidates(weights_file, config, path)
    return None if found is None else [candidate for _, candidate in found]


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


def is_weights_file(path: str) -> bool:
    """Whether an HDF5 file has the groups of a `.weights.h5`, or is a state file of ours."""
    if not hdf5.is_hdf5(path):
        return False
    with hdf5.open_checked(path, os.path.getsize(path), path) as opened, hdf5.reported(path):
        return "model_weights" not in opened and (
            "optimizer" in opened or ("layers" in opened and "layer_names" not in opened.attrs)
        )


def read_weights_file(request: ReadRequest) -> OptimizerState:
    """The optimizer's state in a `.weights.h5`.

    A file that Keras wrote has no config: the class is told by its variables' count and shapes
    only where there is one possibility, and no hyperparameter but the learning rate is in it.

    Raises:
        CheckpointError: If the file holds no optimizer, or `class_name` is needed.
    """
    path, class_name = request.path, request.class_name
    opened = hdf5.open_checked(path, os.path.getsize(path), path)
    try:
        with hdf5.reported(path):
            written = hdf5.optional_text(opened, STATE_ATTRIBUTE)
            if written is not None:
                serialized = json.loads(written)
            elif class_name is not None:
                serialized = {"class_name": class_name, "config": {}}
            else:
                serialized = {"class_name": _class_told(opened, path), "config": {}}
            layout = layouts.KERAS_3
            provenance = Provenance(path, layout.name, layout.title, "keras 3")
            state = _state(layout, serialized, opened, _named(opened, path), provenance, class_name)
            state.opened_file = opened
            return state
    except BaseException:
        opened.close()
        raise


def _named(opened: Any, path: str) -> Optional[List[Candidate]]:
    """The parameters' names in a state file of ours."""
    if "parameters" not in opened:
        return None
    names = hdf5.names(opened["parameters"], "names")
    slots = opened["parameters"]
    return [
        Candidate(name, hdf5.array(slots[str(index)], path)) for index, name in enumerate(names)
    ]


def _class_told(opened: Any, path: str) -> str:
    """The class, from the name that Keras writes beside the variables."""
    group = opened.get("optimizer/vars")
    if group is None:
        raise CheckpointError(
            f"{path!r} holds no optimizer: save a compiled model that has been trained."
        )
    told = hdf5.optional_text(group, "name") or ""
    plain = told.replace("_", "").rstrip("0123456789")
    try:
        return configs.class_name_of(plain, path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path!r} does not say which optimizer its variables are of; give --class."
        ) from error


READER = Reader(is_archive, read)
WEIGHTS_READER = Reader(is_weights_file, read_weights_file)
