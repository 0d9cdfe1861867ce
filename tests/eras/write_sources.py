"""Write an era's checkpoints, inside its own environment.

    python tests/eras/write_sources.py keras-2.3 tests/eras/sources
    python tests/eras/write_sources.py keras-2.3 /tmp/again --only adam

For every case: train 20 steps, save, train 10 more. Beside each file stands CASE.npz with the
values of the model when it was saved and at the end, the optimizer's own view of its state, and,
for the releases of RELEASE_ERAS, each slot with its role and the place of its parameter.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import eras
import numpy as np
import problem


def write_keras(era, case, folder):
    """A whole model's file, or a checkpoint of one."""
    class_name, arguments, kind = problem.ALL_CASES[case]
    eras.clear(era)
    keras = eras.keras_of(era)
    model = problem.build(keras, kind)
    eras.compile_model(era, model, class_name, arguments)
    if "untrained" not in arguments:
        problem.train(model, kind, 0, problem.SAVE_AFTER)
    path = os.path.join(folder, case + problem.ERAS[era].ending)
    save(era, model, path)
    return finish(era, model, kind)


def save(era, model, path):
    """Save as the era does."""
    saves = problem.ERAS[era].saves
    if saves == "saver":
        import tensorflow as tf

        # TensorFlow 1.10 has no compat.v1, and TensorFlow 2 has these names there alone.
        interface = getattr(tf.compat, "v1", tf)
        session = interface.keras.backend.get_session()
        interface.train.Saver().save(session, path, write_meta_graph=False)
    elif saves == "object":
        model.save_weights(path, save_format="tf")
    elif saves == "saved_model":
        model.save(path, save_format="tf")
    else:
        model.save(path)


def finish(era, model, kind):
    """The values when the model was saved and at the end."""
    arrays = {"saved_%d" % i: value for i, value in enumerate(problem.layer_weights(model))}
    arrays.update(("state_%d" % i, value) for i, value in enumerate(eras.state_arrays(model)))
    if era in problem.RELEASE_ERAS:
        for (role, index), value in eras.slots(era, model).items():
            arrays["slot_%s_%d" % (role, index)] = value
    problem.train(model, kind, problem.SAVE_AFTER, problem.TRAIN_UNTIL)
    arrays.update(("final_%d" % i, value) for i, value in enumerate(problem.layer_weights(model)))
    return arrays


def write_tf_train(era, case, folder):
    """A Saver checkpoint of a graph with a tf.train optimizer; the model is Keras's layers."""
    import tf_train

    return tf_train.write(case, os.path.join(folder, case))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("era", choices=sorted(problem.ERAS))
    parser.add_argument("folder")
    parser.add_argument("--only", action="append", help="a case; may be repeated")
    options = parser.parse_args()
    era = problem.ERAS[options.era]
    folder = os.path.join(options.folder, options.era)
    os.makedirs(folder, exist_ok=True)
    for case in options.only or problem.cases_of(options.era):
        write = write_tf_train if era.saves == "tf.train" else write_keras
        arrays = write(options.era, case, folder)
        # An archive of many compresses better than each file by itself.
        keep = np.savez if era.archived else np.savez_compressed
        keep(os.path.join(folder, case + ".npz"), **arrays)
        print(options.era, case, flush=True)
    for name in os.listdir(folder):
        # Saver's list of the newest checkpoints: it holds paths of this machine.
        if name == "checkpoint":
            os.remove(os.path.join(folder, name))
    versions = {"era": options.era, "python": "%d.%d" % sys.version_info[:2]}
    for name in ("tensorflow", "keras"):
        if name in sys.modules:
            versions[name] = getattr(sys.modules[name], "__version__", None)
    if era.package == "tf.keras":  # the version that its files name
        shown = getattr(eras.keras_of(options.era), "__version__", None)
        versions["keras"] = shown or versions.get("keras")
    with open(os.path.join(folder, "versions.json"), "w") as opened:
        json.dump(versions, opened, indent=1, sort_keys=True)
        opened.write("\n")


if __name__ == "__main__":
    main()
