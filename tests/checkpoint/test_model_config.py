"""Architectures that the real packages wrote, translated: see model_config_eras.py.

`model_configs/ERA/MODEL.json` are from there; with `@archive` from a .keras file, else from .h5.
"""

import contextlib
import copy
import glob
import json
import os

import numpy as np
import pytest

from keras_optimizers.checkpoint.architecture import (
    hard_sigmoid,
    layers,
    model_config,
    weight_places,
)
from keras_optimizers.checkpoint.architecture.layer_arguments import KERAS_2, KERAS_3, TF_KERAS_2
from keras_optimizers.checkpoint.architecture.translation import UntranslatableModel

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model_configs")
FILES = sorted(
    os.path.relpath(path, FOLDER) for path in glob.glob(os.path.join(FOLDER, "*", "*.json"))
)
DIALECTS = (KERAS_2, TF_KERAS_2, KERAS_3)
PAIRS = [
    (name, to)
    for name in FILES
    for to in DIALECTS
    if not (to == KERAS_3 and "inference" in name)  # refused, see below
]


def recorded(name):
    with open(os.path.join(FOLDER, name)) as opened:
        return json.load(opened)


def own_dialect(name):
    era = name.split(os.sep)[0]
    return {"keras3": KERAS_3, "tf215": TF_KERAS_2}.get(era, KERAS_2)


def everything_in(value):
    """Every dict in a config."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            for found in everything_in(item):
                yield found


def dense(**arguments):
    config = {"name": "dense", "units": 2, "activation": "relu", "use_bias": True}
    return {"class_name": "Dense", "config": dict(config, **arguments)}


def sequential(*layers):
    """As TensorFlow 1.10 writes it."""
    layers = copy.deepcopy(list(layers))
    layers[0]["config"].setdefault("batch_input_shape", [None, 4])
    return {"class_name": "Sequential", "config": layers}


def keras_3(*layers):
    start = {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "start"}}
    layers = [dict(layer, module="keras.layers", registered_name=None) for layer in layers]
    return {"class_name": "Sequential", "config": {"name": "s", "layers": [start, *layers]}}


def layer(class_name, **arguments):
    return {"class_name": class_name, "config": dict(arguments, name="it")}


def only_layer(config, to):
    translated, _ = model_config.translate(config, to)
    layers = translated["config"]
    return (layers if isinstance(layers, list) else layers["layers"])[-1]


def refusal(config, to):
    with pytest.raises(UntranslatableModel) as caught:
        model_config.translate(config, to)
    return str(caught.value)


# What the real packages wrote


def test_there_are_files_of_every_era():
    assert {name.split(os.sep)[0] for name in FILES} >= {"tf110", "keras231", "tf215", "keras3"}


@pytest.mark.parametrize("name", FILES)
def test_dialect(name):
    expected = KERAS_3 if own_dialect(name) == KERAS_3 else KERAS_2
    assert layers.dialect(recorded(name)) == expected


@pytest.mark.parametrize("name, to", PAIRS)
def test_words_of_the_target(name, to):
    config = recorded(name)
    before = copy.deepcopy(config)
    translated, _ = model_config.translate(config, to)
    assert config == before
    json.dumps(translated)
    found = list(everything_in(translated))
    keys = {key for one in found for key in one}
    if to == KERAS_3:
        assert "batch_input_shape" not in keys
        named = [one for one in found if "class_name" in one and "__keras" not in one["class_name"]]
        assert all(one["module"].startswith("keras") for one in named)
        assert layers.dialect(translated) == KERAS_3
    else:
        assert not keys & {"batch_shape", "module", "registered_name", "build_config"}
        assert not any("__" in str(one.get("class_name")) for one in found)
        assert layers.dialect(translated) == KERAS_2


@pytest.mark.parametrize("name, to", PAIRS)
def test_the_same_layers_and_variables(name, to):
    config = recorded(name)
    translated, _ = model_config.translate(config, to)

    renamed = {"Functional": "Model", "ThresholdedReLU": "ReLU"}

    def shown(of):
        return [
            (renamed.get(one.class_name, one.class_name), one.trainable)
            for one in layers.layer_order(of)
            if one.class_name != "InputLayer" and one.path[-1] != "backward_layer"
        ]

    def places(of):
        return [(one.trained, one.fixed) for one in weight_places.layer_variables(of)]

    frozen_models = [one for one in shown(config) if one == ("Sequential", False)]
    if not frozen_models:  # what a frozen model says of itself, its layers say for it
        assert shown(translated) == shown(config)
    assert places(translated) == places(config)


@pytest.mark.parametrize("name, through", PAIRS)
def test_round_trip(name, through):
    config, own = recorded(name), own_dialect(name)
    there, _ = model_config.translate(config, through)
    back, _ = model_config.translate(there, own)
    straight, _ = model_config.translate(config, own)
    assert compared(back) == compared(straight)


# What need not come back, because it has no effect: always, or at this value.
FORGOTTEN = ("implementation", "input_length", "seed", "trainable", "batch_input_shape")
NO_OPS = {
    "data_format": "channels_last",
    "groups": 1,
    "keepdims": False,
    "output_padding": None,
    "synchronized": False,
    "time_major": False,
    "zero_output_for_mask": False,
}
OTHER_NAMES = {"ThresholdedReLU": "ReLU", "theta": "threshold", "side/two": "side_two"}


def compared(value):
    """A config without what need not come back."""
    if isinstance(value, list):
        return [compared(item) for item in value]
    if isinstance(value, str):
        plain = value[len("forward_") :] if value.startswith("forward_") else value
        return OTHER_NAMES.get(plain, plain)
    if not isinstance(value, dict):
        return value
    kept = {
        OTHER_NAMES.get(key, key): compared(item)
        for key, item in value.items()
        if key not in FORGOTTEN and not (key in NO_OPS and item == NO_OPS[key])
    }
    if value.get("class_name") in ("Sequential", "InputLayer") and isinstance(kept["config"], dict):
        # A list of layers has no name, nor has its input one, or a dtype.
        kept["config"].pop("name", None)
        kept["config"].pop("dtype", None)
    return kept


def test_calls_of_nested_models_are_counted_as_the_target_does():
    # `inner` is called twice, and its second call is an output; so is the third of `graph`.
    config = recorded(os.path.join("tf110", "nested.json"))
    outputs = {}
    for to in DIALECTS:
        translated, _ = model_config.translate(config, to)
        graph = translated["config"]
        outputs[to] = [end[1:] for end in graph["output_layers"]]
        calls = {layer["name"]: layer["inbound_nodes"] for layer in graph["layers"]}
        first = [call[0][1] for call in calls["graph"]]
        assert first == ([0, 0, 0] if to == KERAS_3 else [1, 0, 0])
    assert outputs[KERAS_2] == outputs[TF_KERAS_2] == [[0, 0], [2, 0], [3, 0]]
    # Keras 3 counts calls of functional models from 1 in output_layers alone.
    assert outputs[KERAS_3] == [[0, 0], [1, 0], [3, 0]]


def test_initial_states():
    for era in ("tf110", "keras3"):
        config = recorded(os.path.join(era, "translation.json"))
        old = model_config.translate(config, KERAS_2)[0]["config"]["layers"]
        (node,) = [layer["inbound_nodes"] for layer in old if layer["class_name"] == "LSTM"][1]
        assert [tensor[1:3] for tensor in node] == [[0, 0], [0, 1], [0, 2]]
        new = model_config.translate(config, KERAS_3)[0]["config"]["layers"]
        (node,) = [layer["inbound_nodes"] for layer in new if layer["class_name"] == "LSTM"][1]
        states = [state["config"]["keras_history"][2] for state in node["kwargs"]["initial_state"]]
        assert states == [1, 2]


def test_order_of_older_files():
    """In an older file the nested model's statistics stand behind all that it trains."""
    paths = weight_places.variable_paths(recorded(os.path.join("tf110", "nested.json")))
    inner = next(iter(paths.values()))
    places = [path.split("/layers/")[1] for path in inner]
    assert places[:4] == ["dense/vars/0", "dense/vars/1"] + [
        "batch_normalization/vars/0",
        "batch_normalization/vars/1",
    ]
    assert places[-2:] == ["batch_normalization/vars/2", "batch_normalization/vars/3"]


def test_weight_paths():
    gates = layer("Bidirectional", layer=layer("LSTM", units=2, return_sequences=True))
    config = sequential(gates, layer("TimeDistributed", layer=dense()), dense(), dense(name="d"))
    for index, one in enumerate(config["config"]):
        one["config"]["name"] = str(index)
    assert groups_of(config) == {
        "0": [
            "layers/bidirectional/backward_layer/cell",
            "layers/bidirectional/forward_layer/cell",
        ],
        "1": ["layers/time_distributed/layer"],
        "2": ["layers/dense"],
        "3": ["layers/dense_1"],
    }


def groups_of(config):
    """The groups of `model.weights.h5` that hold each layer's variables."""
    return {
        layer.name: sorted({path.split("/vars/")[0] for path in layer.trained + layer.fixed})
        for layer in weight_places.layer_variables(config)
    }


def test_where_nested_models_keep_their_variables():
    inner = sequential(dense(name="a"), dense(name="b"))
    config = {"class_name": "Sequential", "config": [inner, dense(name="last")]}
    assert groups_of(config) == {
        "a": ["layers/sequential/layers/dense"],
        "b": ["layers/sequential/layers/dense_1"],
        "last": ["layers/dense"],
    }


def test_paths_lead_to_the_layers():
    for name in FILES:
        config = recorded(name)
        for one in layers.layer_order(config):
            found = config
            for step in one.path:
                found = found[step]
            assert found["class_name"] == one.class_name


# Arguments


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("to", DIALECTS)
def test_what_has_another_default_is_written(reset_after, to):
    gru = layer("GRU", units=2, recurrent_activation="sigmoid", reset_after=reset_after)
    assert only_layer(sequential(gru), to)["config"]["reset_after"] is reset_after


def test_what_an_early_config_leaves_out():
    gru = only_layer(sequential(layer("GRU", units=2)), TF_KERAS_2)["config"]
    assert (gru["reset_after"], gru["recurrent_activation"]) == (False, "hard_sigmoid")
    lstm = only_layer(sequential(layer("LSTM", units=2)), KERAS_3)["config"]
    assert hard_sigmoid.is_it(lstm["recurrent_activation"])


def test_slopes_and_thresholds():
    old, new = layer("LeakyReLU", alpha=0.2), layer("LeakyReLU", negative_slope=0.2)
    assert only_layer(sequential(old), KERAS_3)["config"]["negative_slope"] == 0.2
    assert only_layer(keras_3(new), KERAS_2)["config"]["alpha"] == 0.2
    threshold = only_layer(sequential(layer("ThresholdedReLU", theta=0.5)), KERAS_3)
    assert threshold["class_name"] == "ReLU" and threshold["config"]["threshold"] == 0.5


@pytest.mark.parametrize("written", [6.0, "6.0", {"type": "ndarray", "value": 6.0}])
def test_numbers_that_old_keras_writes_in_its_own_way(written):
    relu = layer("ReLU", max_value=written, negative_slope="0.0")
    config = only_layer(sequential(relu), KERAS_2)["config"]
    assert config["max_value"] == 6.0 and "negative_slope" not in config


def test_regularizers_initializers_constraints():
    made = dense(
        kernel_regularizer={"class_name": "L2", "config": {"l2": 0.1}},
        kernel_constraint={"class_name": "MaxNorm", "config": {"max_value": 2.0, "axis": 0}},
        kernel_initializer={"class_name": "HeNormal", "config": {"seed": None}},
        bias_initializer={"class_name": "Mine", "config": {}},
    )
    translated, notes = model_config.translate(keras_3(made), KERAS_2)
    config = translated["config"][0]["config"]
    assert config["kernel_regularizer"] == {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.1}}
    assert config["kernel_constraint"]["config"] == {"max_value": 2.0, "axis": 0}
    assert config["kernel_initializer"]["config"] == {
        "scale": 2.0,
        "mode": "fan_in",
        "distribution": "normal",
        "seed": None,
    }
    assert config["bias_initializer"]["class_name"] == "Zeros"
    assert len(notes) == 1 and "'Mine'" in notes[0]


def test_axes_and_policies():
    policy = {"class_name": "DTypePolicy", "config": {"name": "float32"}, "module": "keras"}
    normalization = layer("BatchNormalization", axis=[1], dtype=policy, renorm=False)
    config = only_layer(keras_3(normalization), KERAS_2)["config"]
    assert (config["axis"], config["dtype"]) == (1, "float32") and "renorm" not in config


def test_names_with_slashes():
    translated, notes = model_config.translate(sequential(dense(name="a/b")), KERAS_3)
    assert translated["config"]["layers"][-1]["config"]["name"] == "a_b"
    assert notes == ["The layer 'a/b' is called 'a_b': Keras 3 allows no slash."]


def test_a_frozen_model_freezes_its_layers():
    inner = keras_3(dense())
    inner["config"]["trainable"] = False
    config = keras_3(inner, dense(name="last"))
    for to in DIALECTS:
        translated, _ = model_config.translate(config, to)
        found = [one.trainable for one in layers.layer_order(translated)]
        assert found[-2:] == [False, True]


# What is said, and what is refused


def test_what_some_releases_cannot_read_is_said():
    for made, words in (
        (layer("ReLU", threshold=0.5), "threshold=0.5: TensorFlow 1.10 cannot"),
        (layer("LayerNormalization", axis=[-1]), "Keras 2.2 and 2.3"),
        (dense(activation="exponential"), "'exponential': TensorFlow 1.10"),
        (layer("Conv1D", filters=1, kernel_size=[2], padding="causal"), "'causal'"),
    ):
        _, notes = model_config.translate(keras_3(made), KERAS_2)
        assert len(notes) == 1 and words in notes[0], notes
        assert model_config.translate(keras_3(made), TF_KERAS_2)[1] == []


@pytest.mark.parametrize(
    "made, to, words",
    [
        (layer("Lambda", function=["4wEA", None, None]), KERAS_3, "holds Python code"),
        (layer("CuDNNLSTM", units=2), KERAS_3, "GPU alone"),
        (layer("TFOpLambda", function="math.add"), KERAS_3, "outside of any layer"),
        (layer("Attention"), KERAS_3, "does not know"),
        (dense(activation="mine"), KERAS_3, "activation of its own, 'mine'"),
        (dense(dtype="mixed_float16"), KERAS_2, "mixed_float16"),
        (dense(kernel_regularizer="mine"), KERAS_3, "regularizer of its own"),
        (dense(kernel_constraint={"class_name": "Mine", "config": {}}), KERAS_3, "constraint"),
        (dense(init="uniform"), KERAS_3, "init='uniform', which other eras"),
        (layer("BatchNormalization", renorm=True), KERAS_3, "renorm=True"),
        (layer("BatchNormalization", virtual_batch_size=4), KERAS_3, "virtual_batch_size=4"),
        (layer("LocallyConnected1D", filters=1, kernel_size=2), KERAS_3, "does not have"),
        (layer("UpSampling2D", interpolation="bilinear"), KERAS_3, "grid is not the same"),
        (layer("LSTM", units=2, recurrent_activation="sigmoid", time_major=True), KERAS_3, "time"),
    ],
)
def test_refused_from_keras_2(made, to, words):
    text = refusal(sequential(made), to)
    assert words in text and ("'it'" in text or "'dense'" in text)


@pytest.mark.parametrize(
    "made, to, words",
    [
        (layer("Conv2D", filters=2, kernel_size=[1, 1], groups=2), KERAS_2, "groups=2"),
        (layer("GlobalMaxPooling1D", keepdims=True), KERAS_2, "keepdims=True"),
        (layer("Conv1DTranspose", filters=2, kernel_size=[1]), KERAS_2, "does not have"),
        (dense(activation="gelu"), KERAS_2, "'gelu', which keras-2 does not have"),
        (dense(activation="hard_sigmoid"), TF_KERAS_2, "x / 6"),
        (dense(lora_rank=4), TF_KERAS_2, "lora_rank=4"),
        (dense(quantization_config={"class_name": "Q"}), TF_KERAS_2, "quantization_config"),
    ],
)
def test_refused_from_keras_3(made, to, words):
    assert words in refusal(keras_3(made), to)


@pytest.mark.parametrize("back", [KERAS_2, TF_KERAS_2])
def test_hard_sigmoid_of_keras_2_becomes_the_same_function_in_keras_3_and_comes_back(back):
    made = dense(activation="hard_sigmoid", dtype="float64")
    translated, notes = model_config.translate(sequential(made), KERAS_3)
    function = translated["config"]["layers"][-1]["config"]["activation"]
    assert (function["module"], function["class_name"]) == ("keras", "Sequential")
    scaled, clipped = (one["config"] for one in function["config"]["layers"])
    inputs = np.linspace(-6, 6, 97)
    outputs = np.clip(inputs * scaled["scale"] + scaled["offset"], 0, clipped["max_value"])
    np.testing.assert_array_equal(outputs, np.clip(0.2 * inputs + 0.5, 0, 1))
    assert {one["dtype"] for one in (scaled, clipped, function["config"])} == {"float64"}
    assert len(notes) == 1 and "3.10" in notes[0]
    assert only_layer(translated, back)["config"]["activation"] == "hard_sigmoid"


def test_classes_of_others_with_the_name_of_a_layer():
    config = keras_3(dense())
    config["config"]["layers"][1].update(module="mine", registered_name="mine>Dense")
    assert "from mine" in refusal(config, KERAS_2)
    config["config"]["layers"][1].update(module="keras.src.ops.numpy", registered_name=None)
    assert "from keras.src.ops.numpy" in refusal(config, KERAS_2)


def test_training_that_keras_3_overrules():
    config = recorded(os.path.join("keras231", "inference.json"))
    nodes = model_config.translate(config, KERAS_2)[0]["config"]["layers"][2]["inbound_nodes"]
    assert nodes[0][0][3] == {"training": False}
    with pytest.raises(UntranslatableModel, match="training=False, which fit"):
        model_config.translate(config, KERAS_3)
    # A layer that does the same while training does not care.
    config["config"]["layers"][2].update(layer("ELU", alpha=1.0))
    model_config.translate(config, KERAS_3)


def test_masked_steps_in_both_directions():
    rnn = layer("SimpleRNN", units=2, return_sequences=True)
    masked = layer("Masking", mask_value=0.0)
    both = layer("Bidirectional", layer=rnn)
    assert "repeats its last result" in refusal(sequential(masked, both), KERAS_3)
    model_config.translate(sequential(dense(), both), KERAS_3)  # nothing is masked
    later = copy.deepcopy(both)
    later["config"]["layer"]["config"]["time_major"] = False  # tf.keras of TensorFlow 1.15
    model_config.translate(sequential(masked, later), KERAS_3)
    _, notes = model_config.translate(sequential(masked, both), KERAS_2)
    assert len(notes) == 1 and "In masked steps" in notes[0]


def test_another_layer_backward():
    rnn = {"units": 2, "return_sequences": False}
    both = layer(
        "Bidirectional",
        layer=layer("SimpleRNN", go_backwards=False, **rnn),
        backward_layer=layer("SimpleRNN", go_backwards=True, **rnn),
    )
    assert "backward_layer" not in only_layer(keras_3(both), KERAS_2)["config"]
    both["config"]["backward_layer"]["config"]["activation"] = "relu"
    assert "backward_layer" in only_layer(keras_3(both), TF_KERAS_2)["config"]
    assert "another layer than forward" in refusal(keras_3(both), KERAS_2)


def test_models_that_do_not_describe_themselves():
    assert "'MyModel'" in refusal({"class_name": "MyModel", "config": {}}, KERAS_3)
    nameless = sequential(dense())
    del nameless["config"][0]["config"]["batch_input_shape"]
    assert "what shape" in refusal(nameless, KERAS_3)
    with pytest.raises(ValueError, match="No dialect"):
        model_config.translate(sequential(dense()), "keras-4")


@pytest.mark.parametrize("name", ["tf110/nested.json", "keras3/translation.json"])
@pytest.mark.parametrize("bad", [None, [], {}, "x", 1e400, [[["?", 0, 0, {}]]]])
def test_broken_configs_are_refused_in_a_sentence(name, bad):
    """Every value in turn is replaced; nothing but a ValueError of ours may come of it."""
    config = recorded(name)
    for found in list(everything_in(config)):
        for key in list(found):
            kept, found[key] = found[key], bad
            for to in DIALECTS:
                with contextlib.suppress(UntranslatableModel):
                    model_config.translate(config, to)
            found[key] = kept


def test_deep_nesting_is_refused():
    config = sequential(dense())
    for _ in range(200):
        config = {"class_name": "Sequential", "config": [config]}
    for function in (
        layers.layer_order,
        weight_places.layer_variables,
        weight_places.variable_paths,
    ):
        with pytest.raises(ValueError):
            function(config)
