"""The table of TensorFlow's releases."""

import pytest

from keras_optimizers import tensorflow_releases
from keras_optimizers.checkpoint.eras import layouts, releases

PRIVATE = "tensorflow.python.keras"


@pytest.mark.parametrize(
    "version, model_module, optimizers",
    [
        ("1.15.5", PRIVATE + ".engine.training", PRIVATE + ".optimizers"),
        (
            "1.15.5+nv23.3",
            PRIVATE + ".engine.training",
            PRIVATE + ".optimizers",
        ),
        (
            "2.4.4",
            PRIVATE + ".engine.training",
            PRIVATE + ".optimizer_v1",
        ),
        ("2.8.0", "keras.engine.training", "keras.optimizer_v1"),
        ("2.10.1", "keras.engine.training", "keras.optimizers.optimizer_v1"),
        ("2.15.1", "keras.src.engine.training", "keras.src.optimizers.optimizer_v1"),
        ("2.15.1", "tf_keras.src.engine.training", "tf_keras.src.optimizers.optimizer_v1"),
        ("2.21.0", "keras.src.models.model", "tf_keras.src.optimizers.optimizer_v1"),
        ("2.99.0rc1", "tf_keras.src.engine.training", "tf_keras.src.optimizers.optimizer_v1"),
    ],
)
def test_the_old_classes_are_found_by_version_and_by_where_models_are(
    version, model_module, optimizers
):
    release = tensorflow_releases.release_of(version, model_module)
    assert release.module("optimizers") == optimizers


@pytest.mark.parametrize("version", ["1.4.0", "1.14.0", "2.0.0", "2.3.4"])
def test_releases_without_the_old_classes_are_not_in_the_table(version):
    assert tensorflow_releases.release_of(version) is None


@pytest.mark.parametrize("version", ["2.4.0", "2.15.0", "2.21.0"])
def test_files_of_the_old_classes_in_tensorflow_2_mean_what_tf_keras_meant(version):
    """`clipnorm` of standalone Keras 2.2 is another: all gradients together."""
    config = {"lr": 0.1, "clipnorm": 1.0}
    assert releases.layout_of(config, version, ["SGD/iterations:0"]) is layouts.TF_KERAS_1_10
    assert releases.layout_of(config, "2.2.4", ["SGD/iterations:0"]) is layouts.KERAS_2_2
