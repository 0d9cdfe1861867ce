"""Models of every era, translated into every other: do they still compute the same?

    PYTHON model_config_eras.py build ERA FOLDER
    PYTHON model_config_eras.py check ERA FOLDER SOURCE...

`build` writes each model's config, weights, input and predictions into FOLDER/ERA. `check`
translates those of each SOURCE, loads them as ERA does, gives them the same weights and compares
the predictions. ERA and SOURCE are names of `eras/environments.py`, and PYTHON is that
environment's: from Python 3.6 with TensorFlow 1.10 to Python 3.11 with Keras 3.
"""

import copy
import json
import os
import sys
import tempfile
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

import numpy as np  # noqa: E402

DIALECTS = {
    "tf110": "keras-2",
    "keras224": "keras-2",
    "tf115": "keras-2",
    "keras231": "keras-2",
    "tf215": "tf-keras-2",
    "keras3": "keras-3",
}
ARCHIVES = ("tf215", "keras3")
TOLERANCE = 1e-5


def keras_of(era):
    """The Keras module of an environment."""
    if era.startswith("keras"):
        import keras

        return keras
    import tensorflow as tf

    return tf.keras


def dense_stack(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            layers.Dense(
                8,
                activation="relu",
                input_shape=(6,),
                kernel_initializer="he_normal",
                kernel_regularizer=keras.regularizers.l2(0.01),
                kernel_constraint=keras.constraints.MaxNorm(3.0),
                name="first",
            ),
            layers.BatchNormalization(),
            layers.Dropout(0.25, seed=3),
            layers.Dense(7, use_bias=False, activity_regularizer=keras.regularizers.l1(0.01)),
            layers.LeakyReLU(0.2),
            layers.Dense(6, activation="selu", bias_initializer="ones"),
            layers.ELU(0.7),
            layers.Activation("tanh"),
            layers.Dense(3, activation="softmax"),
        ]
    )


def images(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            layers.ZeroPadding2D(((1, 0), (2, 1)), input_shape=(8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Conv2D(5, (3, 2), dilation_rate=2, kernel_initializer="lecun_uniform"),
            layers.BatchNormalization(scale=False, epsilon=0.01, momentum=0.9),
            layers.ReLU(6.0),
            layers.SpatialDropout2D(0.2),
            layers.UpSampling2D((2, 3)),
            layers.Cropping2D(((1, 2), (0, 1))),
            layers.MaxPooling2D(3, strides=2, padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="sigmoid"),
        ]
    )


def separable(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            layers.SeparableConv2D(4, 3, padding="same", input_shape=(6, 6, 3)),
            layers.PReLU(shared_axes=[1, 2], alpha_initializer="ones"),
            layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
            layers.PReLU(alpha_initializer=keras.initializers.Constant(0.3)),
            layers.AveragePooling2D((2, 1)),
            layers.Flatten(),
            layers.Dense(2),
            layers.Softmax(),
        ]
    )


def embedding(keras, mask_zero):
    """A beginning for words, of a shape that is known."""
    if OLD:
        return [keras.layers.Embedding(11, 5, mask_zero=mask_zero, input_length=9)]
    return [keras.layers.Input((9,)), keras.layers.Embedding(11, 5, mask_zero=mask_zero)]


def causal(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            layers.Conv1D(4, 2, padding="causal", dilation_rate=2, input_shape=(6, 2)),
            layers.GaussianDropout(0.1),
            layers.AlphaDropout(0.1),
            layers.Dense(2, activation="hard_sigmoid"),
        ]
    )


def words(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            *embedding(keras, mask_zero=False),
            layers.SpatialDropout1D(0.1),
            layers.Conv1D(6, 3, dilation_rate=2, activation="relu"),
            layers.MaxPooling1D(2, padding="same"),
            layers.UpSampling1D(3),
            layers.ZeroPadding1D((1, 2)),
            layers.Cropping1D((2, 1)),
            layers.AveragePooling1D(2),
            layers.SeparableConv1D(4, 2),
            layers.GlobalMaxPooling1D(),
            layers.Dense(3, activation="softsign"),
        ]
    )


def volumes(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            layers.Conv3D(3, 2, padding="same", activation="elu", input_shape=(4, 4, 4, 2)),
            layers.MaxPooling3D(2),
            layers.UpSampling3D((1, 2, 1)),
            layers.ZeroPadding3D(1),
            layers.Cropping3D(((1, 0), (0, 1), (0, 0))),
            layers.AveragePooling3D((1, 2, 2)),
            layers.Conv3DTranspose(2, 2),
            layers.GlobalAveragePooling3D(),
            layers.Dense(2, activation="softplus"),
        ]
    )


def lstm(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            *embedding(keras, mask_zero=True),
            layers.LSTM(4, return_sequences=True, recurrent_activation="sigmoid"),
            layers.Bidirectional(
                layers.LSTM(3, recurrent_activation="sigmoid", unit_forget_bias=False),
                merge_mode="sum",
            ),
            layers.Dense(2),
        ]
    )


def lstm_by_default(keras):
    """What its recurrent activation is depends on the era."""
    layers = keras.layers
    return keras.models.Sequential([layers.LSTM(4, input_shape=(5, 3)), layers.Dense(2)])


def recurrent(keras):
    layers = keras.layers
    gru = {"recurrent_activation": "sigmoid", "return_sequences": True}
    return keras.models.Sequential(
        [
            layers.GRU(4, reset_after=False, input_shape=(5, 3), **gru),
            layers.GRU(4, reset_after=True, go_backwards=True, **gru),
            layers.GaussianNoise(0.1),
            layers.TimeDistributed(layers.Dense(4, activation="relu")),
            layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True), name="both"),
            layers.SimpleRNN(3, activation="relu", recurrent_dropout=0.1),
        ]
    )


def masked(keras):
    layers = keras.layers
    gru = {"recurrent_activation": "sigmoid"}
    return keras.models.Sequential(
        [
            layers.Masking(0.5, input_shape=(5, 3)),
            layers.LSTM(4, return_sequences=True, **gru),
            layers.TimeDistributed(layers.Dense(4, activation="tanh")),
            layers.Bidirectional(layers.GRU(4, reset_after=False, **gru)),
        ]
    )


def masked_in_both_directions(keras):
    layers = keras.layers
    rnn = layers.SimpleRNN(4, return_sequences=True)
    return keras.models.Sequential(
        [layers.Masking(0.5, input_shape=(5, 3)), layers.Bidirectional(rnn)]
    )


def merges(keras):
    layers = keras.layers
    left, right = layers.Input((4,), name="left"), layers.Input((4,), name="right")
    one, two = layers.Dense(5)(left), layers.Dense(5, name="side/two" if OLD else "two")(right)
    merged = layers.Concatenate()(
        [
            layers.Add()([one, two]),
            layers.Subtract()([one, two]),
            layers.Multiply()([one, two]),
            layers.Average()([one, two]),
            layers.Maximum()([two, one]),
            layers.Dot(axes=1, normalize=True)([one, two]),
        ]
    )
    outputs = [layers.Dense(3, name="main")(merged), layers.Dense(1, name="extra")(two)]
    return keras.models.Model([left, right], outputs, name="merges")


OLD = False  # names with a slash are no longer possible in Keras 3


def shared(keras):
    layers = keras.layers
    left, right = layers.Input((4,)), layers.Input((4,))
    twice, other = layers.Dense(4, activation="tanh"), layers.Dense(4, name="other")
    first, second = twice(left), twice(right)
    third = twice(other(second))
    outputs = layers.Concatenate(axis=1)([first, third, other(left)])
    return keras.models.Model([right, left], outputs)


def residual(keras):
    layers = keras.layers
    start = layers.Input((6, 6, 2))
    last = layers.Conv2D(4, 3, padding="same")(start)
    for rate in (1, 2):
        side = layers.Conv2D(4, 1, activation="relu")(last)
        deep = layers.BatchNormalization()(last)
        deep = layers.Conv2D(4, 3, padding="same", dilation_rate=rate)(deep)
        deep = layers.Activation("relu")(deep)
        last = layers.Add()([deep, side, last])
    pooled = layers.GlobalMaxPooling2D()(last)
    return keras.models.Model(start, layers.Dense(3, activation="softmax")(pooled))


def nested(keras):
    layers = keras.layers
    inner = keras.models.Sequential(
        [layers.Dense(4, input_shape=(4,)), layers.BatchNormalization(), layers.Dense(4)]
    )
    start = layers.Input((4,))
    graph = keras.models.Model(start, layers.Add()([layers.Dense(4)(start), start]), name="graph")
    one, two = layers.Input((4,)), layers.Input((4,))
    summed = layers.Add()([layers.Dense(3)(two), layers.Dense(3, activation="relu")(one)])
    both = keras.models.Model([one, two], [layers.Dense(3)(one), summed])
    left, right = layers.Input((4,)), layers.Input((4,))
    a, b = both([graph(inner(left)), graph(right)])
    return keras.models.Model([left, right], [layers.Add()([b, a]), inner(right), graph(left)])


def nested_in_sequence(keras):
    layers = keras.layers
    start = layers.Input((6,))
    model = keras.models.Sequential()
    model.add(
        keras.models.Sequential(
            [layers.Dense(6, input_shape=(6,)), layers.Dropout(0.1), layers.BatchNormalization()]
        )
    )
    model.add(keras.models.Model(start, layers.Dense(4)(start)))
    model.add(layers.Dense(2))
    return model


def translation(keras):
    """An encoder whose state begins the decoder."""
    layers = keras.layers
    options = {"return_state": True, "recurrent_activation": "sigmoid"}
    source, target = layers.Input((None, 3)), layers.Input((None, 2))
    _, hidden, cell = layers.LSTM(4, **options)(source)
    decoder = layers.LSTM(4, return_sequences=True, **options)
    decoded, _, _ = decoder(target, initial_state=[hidden, cell])
    last = layers.TimeDistributed(layers.Dense(3, activation="softmax"))(decoded)
    return keras.models.Model([source, target], last)


def shapes(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            layers.Reshape((3, 4), input_shape=(12,)),
            layers.Permute((2, 1)),
            layers.Conv1D(2, 2),
            layers.Flatten(),
            layers.RepeatVector(3),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3),
        ]
    )


def frozen(keras):
    layers = keras.layers
    base = keras.models.Sequential(
        [layers.Dense(4, input_shape=(4,)), layers.BatchNormalization(), layers.Dense(3)],
    )
    base.trainable = False
    start = layers.Input((4,))
    normalized = layers.BatchNormalization(trainable=False)(start)
    last = layers.Dense(2, trainable=False)(base(normalized))
    return keras.models.Model(start, layers.Dense(2)(last))


def inference(keras):
    """A layer that never trains."""
    layers = keras.layers
    start = layers.Input((4,))
    normalized = layers.BatchNormalization()(layers.Dense(4)(start), training=False)
    return keras.models.Model(start, layers.Dense(2)(layers.Dropout(0.5)(normalized)))


def time_distributed_model(keras):
    layers = keras.layers
    of_a_picture = keras.models.Sequential(
        [
            layers.Conv2D(2, 3, input_shape=(5, 5, 1)),
            layers.BatchNormalization(),
            layers.Flatten(),
        ]
    )
    pictures = layers.Input((3, 5, 5, 1))
    steps = layers.TimeDistributed(of_a_picture)(pictures)
    return keras.models.Model(pictures, layers.GRU(2, recurrent_activation="sigmoid")(steps))


def layer_normalization(keras):
    layers = keras.layers
    start = layers.Input((5, 4))
    last = layers.LayerNormalization()(start)
    last = layers.LayerNormalization(axis=1, epsilon=0.1, center=False)(last)
    return keras.models.Model(start, layers.ThresholdedReLU(0.2)(last) if OLD else last)


def bilinear(keras):
    layers = keras.layers
    return keras.models.Sequential(
        [
            layers.UpSampling2D(2, interpolation="bilinear", input_shape=(3, 3, 1)),
            layers.Conv2D(1, 2),
        ]
    )


MODELS = (
    dense_stack,
    images,
    separable,
    words,
    causal,
    volumes,
    lstm,
    lstm_by_default,
    recurrent,
    masked,
    masked_in_both_directions,
    merges,
    shared,
    residual,
    nested,
    nested_in_sequence,
    translation,
    shapes,
    frozen,
    inference,
    time_distributed_model,
    layer_normalization,
    bilinear,
)


def leaves(model):
    """The layers with weights, those of nested models in their places."""
    for layer in model.layers:
        inner = getattr(layer, "layer", None)
        if hasattr(layer, "layers"):
            for leaf in leaves(layer):
                yield leaf
        elif hasattr(inner, "layers"):
            for leaf in leaves(inner):
                yield leaf
        elif layer.weights:
            yield layer


def inputs_of(model, name):
    """Fixed input for each of a model's inputs."""
    random = np.random.RandomState(5)
    found = []
    for tensor in model.inputs:
        sizes = [getattr(size, "value", size) for size in tensor.shape[1:]]
        shape = [3] + [4 if size is None else int(size) for size in sizes]
        if name in ("words", "lstm"):
            found.append(random.randint(0, 11, shape).astype("float32"))
        else:
            found.append(random.standard_normal(shape).astype("float32"))
    if name.startswith("masked"):
        found[0][0, 3:] = 0.5
        found[0][1, :2] = 0.5
    return found


def predictions_of(model, inputs):
    found = model.predict(inputs if len(inputs) > 1 else inputs[0])
    return found if isinstance(found, list) else [found]


def build(era, folder):
    """Write every model that an era can build."""
    global OLD
    OLD = era != "keras3"
    keras = keras_of(era)
    os.makedirs(os.path.join(folder, era), exist_ok=True)
    for function in MODELS:
        name = function.__name__
        keras.backend.clear_session()
        try:
            model = function(keras)
        except (AttributeError, TypeError, ValueError) as error:
            print("%s has no %s: %s" % (era, name, error))
            continue
        random = np.random.RandomState(7)
        arrays = {}
        for number, leaf in enumerate(leaves(model)):
            values = [0.1 + random.uniform(0, 0.5, value.shape) for value in leaf.get_weights()]
            values = [value * random.choice([-1, 1], value.shape) for value in values]
            if leaf.__class__.__name__.startswith("BatchNorm"):
                values = [np.abs(value) for value in values]
            leaf.set_weights(values)
            for index, value in enumerate(leaf.get_weights()):
                arrays["weight_%03d_%d" % (number, index)] = value
        inputs = inputs_of(model, name)
        for index, value in enumerate(inputs):
            arrays["input_%d" % index] = value
        for index, value in enumerate(predictions_of(model, inputs)):
            arrays["output_%d" % index] = value
        place = os.path.join(folder, era, name)
        with tempfile.TemporaryDirectory() as scratch:
            arrays.update(saved_weights(model, scratch))
            config = saved_config(os.path.join(scratch, "model.h5"))
            if era in ARCHIVES:
                with open(place + "@archive.json", "w") as opened:
                    json.dump(archived_config(model, scratch), opened)
        np.savez(place + ".npz", **arrays)
        with open(place + ".json", "w") as opened:
            json.dump(config, opened)
        print("%s built %s" % (era, name))


def saved_weights(model, scratch):
    """The weights in the order of an .h5 file, which stays in `scratch`."""
    import h5py

    path, arrays = os.path.join(scratch, "model.h5"), {}
    model.save(path)
    with h5py.File(path, "r") as opened:
        group = opened["model_weights"]
        for layer in group.attrs["layer_names"]:
            for name in group[layer].attrs["weight_names"]:
                arrays["saved_%03d" % len(arrays)] = np.array(group[layer][name])
    return arrays


def saved_config(path):
    """The `model_config` of an .h5 file."""
    import h5py

    with h5py.File(path, "r") as opened:
        text = opened.attrs["model_config"]
    return json.loads(text if isinstance(text, str) else text.decode("utf-8"))


def archived_config(model, scratch):
    """The config.json of a .keras file."""
    path = os.path.join(scratch, "model.keras")
    model.save(path)
    with zipfile.ZipFile(path) as opened:
        return json.loads(opened.read("config.json").decode("utf-8"))


def loads(era, config):
    """The ways in which an era makes a model of a config."""
    keras = keras_of(era)
    if era != "keras3":
        yield "json", keras.models.model_from_json(json.dumps(config))
        return
    # Loading changes what it loads.
    yield "archive", keras.saving.deserialize_keras_object(copy.deepcopy(config))
    from keras.src.legacy.saving import saving_utils

    yield "hdf5", saving_utils.model_from_config(copy.deepcopy(config))


def numbered(arrays, prefix):
    return [arrays[key] for key in sorted(arrays) if key.startswith(prefix)]


def check(era, folder, source):
    """Load every model of another era; True if all is as it was, refused, or said aloud."""
    from keras_optimizers.checkpoint.architecture.translation import UntranslatableModel

    good = True
    for function in MODELS:
        name = function.__name__
        for written in (name, name + "@archive"):
            path = os.path.join(folder, source, written + ".json")
            if not os.path.exists(path):
                continue
            with open(path) as opened:
                config = json.load(opened)
            arrays = dict(np.load(os.path.join(folder, source, name + ".npz")))
            try:
                results = list(compared(era, name, config, arrays))
            except UntranslatableModel as error:
                results = ["refused: %s" % error]
            except Exception as error:  # whatever a Keras may raise
                notes = translate(config, era)[1]
                results = ["FAILED: %r %s" % (error, "; ".join(notes))]
            is_said = "cannot read it" in str(results) or "In masked steps" in str(results)
            good = good and (is_said or all(one.startswith(("ok", "refused")) for one in results))
            for result in results:
                print("%-8s -> %-8s %-30s %s" % (source, era, written, result))
    return good


def translate(config, era):
    from keras_optimizers.checkpoint.architecture import model_config

    return model_config.translate(config, DIALECTS[era])


def compared(era, name, config, arrays):
    """What each way to load a translated config comes to."""
    before = json.dumps(config)
    translated, notes = translate(config, era)
    assert json.dumps(config) == before
    keras_of(era).backend.clear_session()
    for way, model in loads(era, translated):
        problem = difference(model, name, arrays)
        if not problem and trained(model) != trained_by_config(config):
            problem = "other layers are trained"
        if not problem and era == "keras3":
            problem = misplaced(model, config, arrays)
        yield "%s %s %s" % (problem or "ok", way, "; ".join(notes))


def difference(model, name, arrays):
    """What the model computes otherwise than its source; "" for nothing."""
    for number, leaf in enumerate(leaves(model)):
        values = numbered(arrays, "weight_%03d_" % number)
        if [value.shape for value in values] != [value.shape for value in leaf.get_weights()]:
            return "weights of %s have another shape" % leaf.name
        leaf.set_weights(values)
    if [value.shape for value in inputs_of(model, name)] != [
        value.shape for value in numbered(arrays, "input_")
    ]:
        return "inputs have another shape"
    found = predictions_of(model, numbered(arrays, "input_"))
    wanted = numbered(arrays, "output_")
    if [value.shape for value in found] != [value.shape for value in wanted]:
        return "outputs have another shape"
    largest = max(float(np.max(np.abs(one - two))) for one, two in zip(found, wanted))
    return "" if largest <= TOLERANCE else "DIFFERS by %g" % largest


def trained(model):
    """Per leaf: how many of its variables are trained."""

    def of(layers, above):
        for layer in layers:
            own = above and layer.trainable
            inner = getattr(layer, "layer", None)
            if hasattr(layer, "layers"):
                for one in of(layer.layers, own):
                    yield one
            elif hasattr(inner, "layers"):
                for one in of(inner.layers, own):
                    yield one
            elif layer.weights:
                yield own

    return list(of(model.layers, True))


def trained_by_config(config):
    from keras_optimizers.checkpoint.architecture import weight_places

    return [bool(layer.trained) for layer in weight_places.layer_variables(config)]


def misplaced(model, config, arrays):
    """Whether Keras 3 keeps the weights elsewhere than the converter expects; "" if not."""
    import h5py

    from keras_optimizers.checkpoint.architecture import weight_places

    places = [place for layer in weight_places.variable_paths(config).values() for place in layer]
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "model.keras")
        model.save(path)
        with zipfile.ZipFile(path) as opened:
            opened.extract("model.weights.h5", scratch)
        with h5py.File(os.path.join(scratch, "model.weights.h5"), "r") as weights:
            held = datasets(weights)
            if sorted(held) != sorted(places):
                return "PLACES %s instead of %s" % (sorted(held), sorted(places))
            values = [np.array(weights[place]) for place in places]
    saved = numbered(arrays, "saved_")
    if [value.shape for value in values] != [value.shape for value in saved]:
        return "ORDER of shapes"
    same = all(np.array_equal(one, two) for one, two in zip(values, saved))
    return "" if same else "ORDER of values"


def datasets(group, path=""):
    """The paths of the layers' variables."""
    found = []
    for key in group:
        inner = path + key
        if key in ("seed_generator", "optimizer"):
            continue
        if hasattr(group[key], "shape"):
            found.append(inner)
        else:
            found += datasets(group[key], inner + "/")
    return found


def main(arguments):
    command, era, folder = arguments[:3]
    if command == "build":
        build(era, folder)
        return 0
    good = [check(era, folder, source) for source in arguments[3:]]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
