"""Where Keras loads a model for the converter, the code that a file brings is not run."""

import os

import pytest

tf = pytest.importorskip("tensorflow")

from keras_optimizers.checkpoint import CheckpointError, migrate  # noqa: E402
from keras_optimizers.checkpoint.architecture.code_in_configs import (  # noqa: E402
    check_runs_no_code,
)
from tests.checkpoint.files import problem  # noqa: E402


def leaves_a_trace(tensor):
    with __import__("builtins").open(__import__("os").environ["TRACE"], "w"):
        return tensor


@pytest.mark.parametrize("target", ["checkpoint", "checkpoint-2.11"])
def test_the_code_of_a_lambda_layer_is_not_run(target, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Dense(2, input_shape=(3,)),
            tf.keras.Sequential([layers.Lambda(leaves_a_trace, name="own", input_shape=(2,))]),
        ]
    )
    model.compile("adam", "mse")
    problem.np.random.seed(1)
    model.fit(problem.np.ones((4, 3)), problem.np.ones((4, 2)), verbose=0)
    source = str(tmp_path / "model.h5")
    model.save(source)
    os.remove(str(tmp_path / "trace"))
    with pytest.raises(CheckpointError, match="run code that the file brings: Lambda 'own'"):
        migrate(source, str(tmp_path / "target"), target)
    assert sorted(os.listdir(str(tmp_path))) == ["model.h5"]
    migrate(source, str(tmp_path / "target.h5"), "optimizer-v2")  # copies it, runs nothing
    assert not os.path.exists(str(tmp_path / "trace"))


def layer(class_name, **config):
    return {"class_name": class_name, "config": config}


@pytest.mark.parametrize(
    "config",
    [
        layer("Sequential", layers=[layer("Bidirectional", layer=layer("Lambda"))]),
        layer("Dense", activation={"class_name": "__lambda__", "config": {"value": "4wEA"}}),
        layer("Dense", activation=dict(layer("system"), module="os")),
        layer("Dense", activation=layer("func_load", code="4wEA")),
        layer("TFOpLambda", function="io.gfile.remove"),
        layer("TFOpLambda", function="compat.v1.load_library"),
        layer("TFOpLambda", function="keras.utils.get_file"),
        layer("ClassMethod", cls_symbol="data.Dataset", method_name="from_generator"),
    ],
)
def test_a_config_that_brings_code_is_refused(config):
    with pytest.raises(CheckpointError, match="run code"):
        check_runs_no_code({"config": [{"nested": config}]}, "model.h5")


@pytest.mark.parametrize(
    "config",
    [
        dict(layer("Dense", units=3), module="keras.layers"),
        layer("TFOpLambda", function="math.add"),
        layer("TFOpLambda", function="compat.v1.concat"),
        layer("SlicingOpLambda", function="__operators__.getitem"),
        layer("ClassMethod", cls_symbol="RaggedTensor", method_name="from_row_splits"),
    ],
)
def test_the_layers_of_keras_and_ops_are_not_refused(config):
    check_runs_no_code(config, "model.h5")
