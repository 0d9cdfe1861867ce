"""What the layers of Keras 2.0 to 3 take, what they hold, and what an argument means where.

`ARGUMENTS` is what every era knows, by the names of Keras 2. `EXTRAS` is what only some know:
`model_config` writes it where the target does, drops it where it has no effect, and refuses the
model otherwise. Measured with TensorFlow 1.10, 1.15 and 2.15, Keras 2.2.4, 2.3.1 and 3.15.
"""

from typing import Any, Dict, NamedTuple, Tuple

from keras_optimizers.checkpoint.eras.dialects import KERAS_2, KERAS_3, TF_KERAS_2

EVERYWHERE = (KERAS_2, TF_KERAS_2, KERAS_3)
NEWER = (TF_KERAS_2, KERAS_3)
OLDER = (KERAS_2, TF_KERAS_2)

_KERNEL = (
    "use_bias",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)
_CONVOLUTION = (
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "activation",
    *_KERNEL,
)
_LOCAL = tuple(one for one in _CONVOLUTION if one != "dilation_rate")
_RECURRENT = (
    "units",
    "activation",
    "use_bias",
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
)
_DEPTHWISE = (
    "kernel_size",
    "strides",
    "padding",
    "depth_multiplier",
    "data_format",
    "dilation_rate",
    "activation",
    "use_bias",
    "depthwise_initializer",
    "bias_initializer",
    "depthwise_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "depthwise_constraint",
    "bias_constraint",
)
_SEPARABLE = (
    "filters",
    *_DEPTHWISE,
    "pointwise_initializer",
    "pointwise_regularizer",
    "pointwise_constraint",
)
_NORMALIZATION = (
    "axis",
    "epsilon",
    "center",
    "scale",
    "beta_initializer",
    "gamma_initializer",
    "beta_regularizer",
    "gamma_regularizer",
    "beta_constraint",
    "gamma_constraint",
)
_POOLING = ("pool_size", "strides", "padding")

ARGUMENTS: Dict[str, Tuple[str, ...]] = {
    "Dense": ("units", "activation", *_KERNEL),
    "Activation": ("activation",),
    "ReLU": ("max_value",),
    "ThresholdedReLU": ("theta",),
    "LeakyReLU": ("alpha",),
    "ELU": ("alpha",),
    "PReLU": ("alpha_initializer", "alpha_regularizer", "alpha_constraint", "shared_axes"),
    "Softmax": ("axis",),
    "Dropout": ("rate", "noise_shape", "seed"),
    "SpatialDropout1D": ("rate",),
    "SpatialDropout2D": ("rate", "data_format"),
    "SpatialDropout3D": ("rate", "data_format"),
    "GaussianNoise": ("stddev",),
    "GaussianDropout": ("rate",),
    "AlphaDropout": ("rate", "noise_shape"),
    "ActivityRegularization": ("l1", "l2"),
    "Flatten": (),
    "Reshape": ("target_shape",),
    "Permute": ("dims",),
    "RepeatVector": ("n",),
    "Masking": ("mask_value",),
    "Embedding": (
        "input_dim",
        "output_dim",
        "embeddings_initializer",
        "embeddings_regularizer",
        "activity_regularizer",
        "embeddings_constraint",
        "mask_zero",
    ),
    "BatchNormalization": (
        *_NORMALIZATION,
        "momentum",
        "moving_mean_initializer",
        "moving_variance_initializer",
    ),
    "LayerNormalization": _NORMALIZATION,
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
    "Conv3D": _CONVOLUTION,
    "Conv1DTranspose": _CONVOLUTION,
    "Conv2DTranspose": _CONVOLUTION,
    "Conv3DTranspose": _CONVOLUTION,
    "DepthwiseConv1D": _DEPTHWISE,
    "DepthwiseConv2D": _DEPTHWISE,
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "LocallyConnected1D": _LOCAL,
    "LocallyConnected2D": _LOCAL,
    "MaxPooling1D": _POOLING,
    "MaxPooling2D": (*_POOLING, "data_format"),
    "MaxPooling3D": (*_POOLING, "data_format"),
    "AveragePooling1D": _POOLING,
    "AveragePooling2D": (*_POOLING, "data_format"),
    "AveragePooling3D": (*_POOLING, "data_format"),
    "GlobalMaxPooling1D": (),
    "GlobalMaxPooling2D": ("data_format",),
    "GlobalMaxPooling3D": ("data_format",),
    "GlobalAveragePooling1D": (),
    "GlobalAveragePooling2D": ("data_format",),
    "GlobalAveragePooling3D": ("data_format",),
    "ZeroPadding1D": ("padding",),
    "ZeroPadding2D": ("padding", "data_format"),
    "ZeroPadding3D": ("padding", "data_format"),
    "Cropping1D": ("cropping",),
    "Cropping2D": ("cropping", "data_format"),
    "Cropping3D": ("cropping", "data_format"),
    "UpSampling1D": ("size",),
    "UpSampling2D": ("size", "data_format"),
    "UpSampling3D": ("size", "data_format"),
    "SimpleRNN": _RECURRENT,
    "LSTM": (*_RECURRENT, "recurrent_activation", "unit_forget_bias"),
    "GRU": (*_RECURRENT, "recurrent_activation", "reset_after"),
    "Add": (),
    "Subtract": (),
    "Multiply": (),
    "Average": (),
    "Maximum": (),
    "Minimum": (),
    "Concatenate": ("axis",),
    "Dot": ("axes", "normalize"),
}

RECURRENT = ("SimpleRNN", "LSTM", "GRU")
# They compute something else while training, whatever their arguments.
TRAINING_ALONE = (
    "BatchNormalization",
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
)

# Layers that not all eras have.
ONLY_IN: Dict[str, Tuple[str, ...]] = {
    "Conv1DTranspose": NEWER,
    "DepthwiseConv1D": NEWER,
    "LocallyConnected1D": OLDER,
    "LocallyConnected2D": OLDER,
}
# Layers and arguments that some releases of the dialect "keras-2" lack.
LACKING: Dict[str, str] = {
    "LayerNormalization": "Keras 2.2 and 2.3 and TensorFlow 1.10",
    "output_padding": "TensorFlow 1.10",
    "negative_slope": "TensorFlow 1.10",
    "threshold": "TensorFlow 1.10",
    "data_format": "TensorFlow 1.10",
    "exponential": "TensorFlow 1.10",
}
REASONS: Dict[str, str] = {
    "Lambda": "which holds Python code; build the model in code",
    "CuDNNLSTM": "which runs on a GPU alone and lays out its weights in another way",
    "CuDNNGRU": "which runs on a GPU alone and lays out its weights in another way",
    "TFOpLambda": "an operation of TensorFlow outside of any layer",
    "SlicingOpLambda": "an operation of TensorFlow outside of any layer",
    "TensorFlowOpLayer": "an operation of TensorFlow outside of any layer",
    "ClassMethod": "an operation of TensorFlow outside of any layer",
}


class Extra(NamedTuple):
    """An argument of some eras.

    `without_effect` holds the values at which the layer computes what it does without the
    argument (`...` for every value), `known` the dialects that take it. Where `is_said`,
    dropping another value is worth a sentence, but does not make it another computation.
    """

    without_effect: Tuple[Any, ...]
    known: Tuple[str, ...] = ()
    is_said: bool = False


_ANY = Extra((...,))
_CHANNELS_LAST = Extra((None, "channels_last"), EVERYWHERE)
_GROUPS = Extra((1, None), NEWER)
_KEPT_DIMENSIONS = Extra((None, False), NEWER)
# A seed never gives the random numbers of another era.
OF_ALL_LAYERS: Dict[str, Extra] = {
    "activity_regularizer": Extra((None,)),
    "autocast": _ANY,
    "batch_input_shape": _ANY,
    "batch_shape": _ANY,
    "build_config": _ANY,
    "dynamic": Extra((None, False)),
    "force_generator": _ANY,
    "input_dtype": _ANY,
    "lora_alpha": _ANY,
    "lora_rank": Extra((None,)),
    "quantization_config": Extra((None,)),
    "rng_type": _ANY,
    "seed": _ANY,
    "sparse": Extra((None, False)),
}
_TRANSPOSED = {"output_padding": Extra((None, [None]), EVERYWHERE), "groups": Extra((1, None))}
# The base class of these writes arguments that they do not use.
_UNUSED = {
    "kernel_initializer": _ANY,
    "kernel_regularizer": _ANY,
    "kernel_constraint": _ANY,
    "groups": Extra((1, None)),
    "filters": _ANY,
}
_OF_RECURRENT = {
    "implementation": Extra((...,), OLDER),
    "time_major": Extra((None, False), (TF_KERAS_2,)),
    "use_cudnn": _ANY,
    "zero_output_for_mask": Extra((None, False), NEWER),
}
_NOISE_SHAPE = {"noise_shape": _ANY}  # written, and computed anew

EXTRAS: Dict[str, Dict[str, Extra]] = {
    "ReLU": {"negative_slope": Extra((0,), EVERYWHERE), "threshold": Extra((0,), EVERYWHERE)},
    "Flatten": {"data_format": _CHANNELS_LAST},
    "SpatialDropout1D": _NOISE_SHAPE,
    "SpatialDropout2D": _NOISE_SHAPE,
    "SpatialDropout3D": _NOISE_SHAPE,
    "Embedding": {"input_length": Extra((...,), OLDER)},
    "BatchNormalization": {
        "adjustment": Extra((None,)),
        "fused": _ANY,
        "renorm": Extra((None, False)),
        "renorm_clipping": _ANY,
        "renorm_momentum": _ANY,
        "synchronized": Extra((None, False), NEWER, is_said=True),
        "virtual_batch_size": Extra((None,)),
    },
    "LayerNormalization": {"rms_scaling": Extra((None, False))},
    "Conv1D": {"groups": _GROUPS},
    "Conv2D": {"groups": _GROUPS},
    "Conv3D": {"groups": _GROUPS},
    "Conv1DTranspose": _TRANSPOSED,
    "Conv2DTranspose": _TRANSPOSED,
    "Conv3DTranspose": _TRANSPOSED,
    "DepthwiseConv1D": _UNUSED,
    "DepthwiseConv2D": _UNUSED,
    "SeparableConv1D": _UNUSED,
    "SeparableConv2D": _UNUSED,
    "LocallyConnected1D": {"implementation": Extra((None, 1), (TF_KERAS_2,))},
    "LocallyConnected2D": {"implementation": Extra((None, 1), (TF_KERAS_2,))},
    "MaxPooling1D": {"data_format": _CHANNELS_LAST},
    "AveragePooling1D": {"data_format": _CHANNELS_LAST},
    "GlobalMaxPooling1D": {"data_format": _CHANNELS_LAST, "keepdims": _KEPT_DIMENSIONS},
    "GlobalMaxPooling2D": {"keepdims": _KEPT_DIMENSIONS},
    "GlobalMaxPooling3D": {"keepdims": _KEPT_DIMENSIONS},
    "GlobalAveragePooling1D": {"data_format": _CHANNELS_LAST, "keepdims": _KEPT_DIMENSIONS},
    "GlobalAveragePooling2D": {"keepdims": _KEPT_DIMENSIONS},
    "GlobalAveragePooling3D": {"keepdims": _KEPT_DIMENSIONS},
    "ZeroPadding1D": {"data_format": Extra((None, "channels_last"))},
    "Cropping1D": {"data_format": Extra((None, "channels_last"))},
    "UpSampling1D": {"data_format": Extra((None, "channels_last"))},
    "UpSampling2D": {"interpolation": Extra((None, "nearest"), NEWER)},
    "SimpleRNN": _OF_RECURRENT,
    "LSTM": _OF_RECURRENT,
    "GRU": _OF_RECURRENT,
}

# What arguments were where a config of the first eras that have the layer leaves them out.
EARLY_DEFAULTS: Dict[str, Dict[str, Any]] = {
    "GRU": {"reset_after": False, "recurrent_activation": "hard_sigmoid"},
    "LSTM": {"recurrent_activation": "hard_sigmoid"},
}

# By their plain name; "swish" is called "silu" in Keras 3, and that from TensorFlow 2.15 on.
ACTIVATIONS: Dict[str, Tuple[str, ...]] = {
    "elu": EVERYWHERE,
    "exponential": EVERYWHERE,
    "gelu": NEWER,
    "hard_sigmoid": EVERYWHERE,
    "linear": EVERYWHERE,
    "mish": NEWER,
    "relu": EVERYWHERE,
    "selu": EVERYWHERE,
    "sigmoid": EVERYWHERE,
    "silu": NEWER,
    "softmax": EVERYWHERE,
    "softplus": EVERYWHERE,
    "softsign": EVERYWHERE,
    "swish": NEWER,
    "tanh": EVERYWHERE,
}

# Initializers that scale with the layer: scale, mode, distribution.
SCALED_INITIALIZERS: Dict[str, Tuple[float, str, str]] = {
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
}
INITIALIZERS: Dict[str, Tuple[str, ...]] = {
    "Zeros": (),
    "Ones": (),
    "Constant": ("value",),
    "RandomNormal": ("mean", "stddev", "seed"),
    "RandomUniform": ("minval", "maxval", "seed"),
    "TruncatedNormal": ("mean", "stddev", "seed"),
    "Orthogonal": ("gain", "seed"),
    "Identity": ("gain",),
    "VarianceScaling": ("scale", "mode", "distribution", "seed"),
}
CONSTRAINTS: Dict[str, Tuple[str, ...]] = {
    "MaxNorm": ("max_value", "axis"),
    "NonNeg": (),
    "UnitNorm": ("axis",),
    "MinMaxNorm": ("min_value", "max_value", "rate", "axis"),
}

# How many variables a layer trains, by the argument that a further one hangs on (None: always).
VARIABLES: Dict[str, Tuple[Any, ...]] = {
    "Dense": (None, "use_bias"),
    "PReLU": (None,),
    "Embedding": (None,),
    "BatchNormalization": ("scale", "center"),
    "LayerNormalization": ("scale", "center"),
    "SimpleRNN": (None, None, "use_bias"),
    "LSTM": (None, None, "use_bias"),
    "GRU": (None, None, "use_bias"),
    "SeparableConv1D": (None, None, "use_bias"),
    "SeparableConv2D": (None, None, "use_bias"),
}
for _name in ARGUMENTS:
    if ("Conv" in _name or _name.startswith("Locally")) and _name not in VARIABLES:
        VARIABLES[_name] = (None, "use_bias")
