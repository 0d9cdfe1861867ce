"""Reading the optimizer and the model's variables in a `.keras` archive."""

from typing import List, Optional

from keras_optimizers.checkpoint.architecture.layers import has_embeddings, has_frozen_normalization
from keras_optimizers.checkpoint.eras import configs, releases
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats.archive_files import Archive, is_archive
from keras_optimizers.checkpoint.formats.format import Reader, ReadRequest
from keras_optimizers.checkpoint.formats.keras_3_weights import (
    model_variables,
    state_in,
    unfreeze_what_was_trained,
)
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import Array, OptimizerState, Provenance
from keras_optimizers.checkpoint.storage import hdf5


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
    candidates = model_variables(archive.weights, archive.config, path)
    provenance = Provenance(path, layout.name, layout.title, f"keras {version}")
    state = state_in(layout, serialized, archive.weights, candidates, provenance, known_class)
    unfrozen = unfreeze_what_was_trained(archive, state.parameters)
    if unfrozen:
        candidates = model_variables(archive.weights, archive.config, path)
        state = state_in(layout, serialized, archive.weights, candidates, provenance, known_class)
        notes.append(
            f"Keras {version} trained {', '.join(unfrozen)}, whose constructor was given "
            "trainable=False. In what is written these are trainable, so that training goes on as "
            "it went; in code, give them trainable=True."
        )
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
        found = model_variables(archive.weights, archive.config, path) or []
        return [one._replace(array=Array.of(one.array.read())) for one in found]


READER = Reader(is_archive, read)
