"""Take something away from a converted checkpoint, to prove that the matrix would notice."""

import os
import zipfile

import numpy as np


def damage(path, how, recorded):
    """Whether there was something to damage in the file.

    Arguments:
        how: "drop" the last of the optimizer's weights (in the HDF5 files of Keras 2, whose
            loaders then leave out all state, most of them in silence), or "zero" a slot.
        recorded: the source's .npz, whose last slot is the victim of "zero".
    """
    slots = np.load(recorded)
    slots = [slots[name] for name in slots.files if name.startswith("state")]
    slots = [slot for slot in slots if slot.size > 1 and slot.any()]
    if not slots:  # plain SGD: what there is of them, nothing reads
        return False
    if how == "drop":
        return path.endswith(".h5") and not path.endswith(".weights.h5") and _drop(path)
    if path.endswith(".keras"):
        return _zero_in_archive(path, slots[-1])
    return _zero_in_hdf5(path, slots[-1]) if path.endswith(".h5") else _zero_bundle(path, slots[-1])


def _drop(path):
    import h5py

    with h5py.File(path, "r+") as opened:
        group = opened["optimizer_weights"]
        names = group.attrs["weight_names"]
        if group[names[-1]].size < 2:  # a scalar that the config has, too: nothing is lost
            return False
        del group.attrs["weight_names"]
        group.attrs["weight_names"] = names[:-1]
    return True


def _is(victim, value):
    return getattr(value, "shape", None) == victim.shape and np.allclose(value, victim, 1e-5, 0)


def _zero_in_hdf5(path, victim):
    import h5py

    found = []

    def visit(_, item):
        if isinstance(item, h5py.Dataset) and _is(victim, item[()]):
            found.append(item)

    with h5py.File(path, "r+") as opened:
        opened.visititems(visit)
        for dataset in found:
            dataset[...] = np.zeros_like(victim)
        return bool(found)


def _zero_in_archive(path, victim):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = path + ".weights.h5"
    with open(weights, "wb") as opened:
        opened.write(members["model.weights.h5"])
    done = _zero_in_hdf5(weights, victim)
    with open(weights, "rb") as opened:
        members["model.weights.h5"] = opened.read()
    os.remove(weights)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return done


def _zero_bundle(prefix, victim):
    import tensorflow.compat.v1 as tf

    reader = tf.train.load_checkpoint(prefix)
    names = sorted(reader.get_variable_to_shape_map())
    values = {name: reader.get_tensor(name) for name in names}
    found = [name for name in names if _is(victim, values[name])]
    values.update((name, np.zeros_like(victim)) for name in found)
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.constant(values[name]) for name in names]
        session.run(
            tf.raw_ops.SaveV2(
                prefix=prefix,
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=tensors,
            )
        )
    return bool(found)
