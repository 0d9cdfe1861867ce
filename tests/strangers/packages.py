"""The packages that are tried, and how to make an optimizer of each: from PyPI, but for one.

Each function gets the host (`keras` or `tf.keras`) and returns the optimizer and the custom objects
that `load_model` needs. It imports its package itself: only one package is there at a time.
"""

import numpy as np


class Package:
    """One row of the table.

    Arguments:
        requirements: what pip installs, without dependencies; the first names the row.
        make: the function that makes the optimizer.
        hosts: the hosts that the package supports.
        tests: the folder of tests in its source release; None where it has none.
        wrap: for packages that train a model in their own way: a function of the compiled model.
            It returns the function of the backend that takes a step, and what takes a step of a
            batch (features, labels).
        repository: the name of a repository that is on no index; its folder is an argument of
            `table.py`.
    """

    def __init__(self, make, hosts, *requirements, tests=None, wrap=None, repository=None):
        self.make, self.hosts, self.requirements, self.tests = make, hosts, requirements, tests
        self.wrap, self.repository = wrap, repository


def radam(keras):
    from keras_radam import RAdam

    return RAdam(0.01, decay=0.1, weight_decay=0.01), {"RAdam": RAdam}


def gradient_accumulation(keras):
    from keras_gradient_accumulation import GradientAccumulation

    # The package needs `learning_rate`, which Keras 2.2 does not have.
    optimizer = GradientAccumulation(keras.optimizers.Adam(0.01), 3)
    return optimizer, {"GradientAccumulation": GradientAccumulation}


def lookahead(keras):
    from keras_lookahead import Lookahead

    return Lookahead(keras.optimizers.Adam(0.01), 3), {"Lookahead": Lookahead}


def lr_multiplier(keras):
    from keras_lr_multiplier import LRMultiplier

    optimizer = LRMultiplier(keras.optimizers.Adam(0.01), {"hidden": 0.5, "answer": 2.0})
    return optimizer, {"LRMultiplier": LRMultiplier}


def nested_lr_multiplier(keras):
    from keras_lr_multiplier import LRMultiplier

    inner = LRMultiplier(keras.optimizers.Adam(0.01), {"hidden": 0.5})
    return LRMultiplier(inner, {"answer": 2.0}), {"LRMultiplier": LRMultiplier}


def runai(keras):
    import runai.ga.keras

    return runai.ga.keras.optimizers.Adam(3, lr=0.01), {"Adam": runai.ga.keras.optimizers.Adam}


def bert4keras(extender, **arguments):
    def make(keras):
        from bert4keras import optimizers

        extended = getattr(optimizers, "extend_with_" + extender)(keras.optimizers.Adam)
        return extended(0.01, **arguments), {extended.__name__: extended}

    return make


def bert4keras_adafactor(keras):
    from bert4keras.optimizers import AdaFactor

    return AdaFactor(0.01, beta1=0.9), {"AdaFactor": AdaFactor, "AdaFactorV1": AdaFactor}


def adamw(keras):
    from keras_adamw import AdamW

    optimizer = AdamW(lr=0.01, total_iterations=40, use_cosine_annealing=True, init_verbose=False)
    return optimizer, {"AdamW": AdamW}


def rnadam(keras):
    from keras_rnadam import RNAdam

    return RNAdam(0.01), {"RNAdam": RNAdam}


def gradient_noise(keras):
    from keras_gradient_noise import add_gradient_noise

    noisy = add_gradient_noise(keras.optimizers.Adam)
    return noisy(lr=0.01), {noisy.__name__: noisy}


def rl(keras):
    from rl.util import AdditionalUpdatesOptimizer

    optimizer = AdditionalUpdatesOptimizer(keras.optimizers.Adam(0.01), [])
    return optimizer, {"AdditionalUpdatesOptimizer": AdditionalUpdatesOptimizer}


def rl_clone(keras):
    from rl.util import clone_optimizer

    return clone_optimizer(keras.optimizers.Adam(0.01, decay=0.1)), {}


def svrg(keras):
    from SVRGoptimizerKeras.optimizer import SVRG

    return SVRG(lr=0.05), {"SVRG": SVRG}


def contrib(class_name, *positional, **arguments):
    def make(keras):
        from keras_contrib import optimizers

        kind = getattr(optimizers, class_name)
        return kind(*positional, **arguments), {class_name: kind}

    return make


def adam_warmup(keras):
    from keras_bert import AdamWarmup

    optimizer = AdamWarmup(40, 5, learning_rate=0.01, weight_decay=0.01, amsgrad=True)
    return optimizer, {"AdamWarmup": AdamWarmup}


def adam(keras):
    return keras.optimizers.Adam(0.01, decay=0.1), {}


def importance_sampling(model):
    from importance_sampling.model_wrappers import OracleWrapper
    from importance_sampling.reweighting import BiasedReweightingPolicy

    wrapper = OracleWrapper(model, BiasedReweightingPolicy(), score="loss")
    model.optimizer = wrapper.optimizer  # as its training does in the end

    def step(features, labels):
        weights = np.linspace(0.5, 1.5, len(features))[:, np.newaxis]
        wrapper.train_batch(features, labels, weights)

    return wrapper._train_on_batch, step


def importance_sampling_svrg(model):
    """Its SVRG makes a subclass of the optimizer's class, which replaces `get_gradients`."""
    from importance_sampling.model_wrappers import SVRGWrapper

    wrapper = SVRGWrapper(model)
    model.optimizer = wrapper.optimizer

    def step(features, labels):
        wrapper.update_grad([(features + 0.1, labels)])  # also takes the snapshot
        wrapper.train_batch(features, labels, None)

    return wrapper._train_on_batch, step


KERAS_22, KERAS_23, TF_KERAS = "keras==2.2.5", "keras==2.3.1", "tf.keras"
BOTH, ALL = (KERAS_22, KERAS_23), (KERAS_22, KERAS_23, TF_KERAS)

_BERT4KERAS = ("bert4keras==0.11.5",)
_IMPORTANCE_SAMPLING = ("keras-importance-sampling==0.10", "blinker==1.4")
_KERAS_BERT = (
    "keras-bert==0.81.1",
    "keras-transformer==0.33.0",
    "keras-pos-embd==0.11.0",
    "keras-multi-head==0.22.0",
    "keras-layer-normalization==0.14.0",
    "keras-position-wise-feed-forward==0.6.0",
    "keras-embed-sim==0.7.0",
    "keras-self-attention==0.41.0",
)
PACKAGES = {
    "keras-radam 0.15.0": Package(radam, BOTH, "keras-radam==0.15.0", tests="tests"),
    "keras-rectified-adam 0.17.0": Package(
        radam, BOTH, "keras-rectified-adam==0.17.0", tests="tests"
    ),
    "keras-gradient-accumulation 0.0.6": Package(
        gradient_accumulation, BOTH, "keras-gradient-accumulation==0.0.6", tests="tests"
    ),
    "keras-lookahead 0.9.0": Package(lookahead, ALL, "keras-lookahead==0.9.0", tests="tests"),
    "keras-lr-multiplier 0.9.0": Package(
        lr_multiplier, ALL, "keras-lr-multiplier==0.9.0", tests="tests"
    ),
    "keras-lr-multiplier 0.9.0, nested": Package(
        nested_lr_multiplier, ALL, "keras-lr-multiplier==0.9.0"
    ),
    "runai 0.4.1": Package(runai, BOTH, "runai==0.4.1"),
    "bert4keras 0.11.5, weight decay": Package(
        bert4keras("weight_decay", weight_decay_rate=0.1), BOTH, *_BERT4KERAS
    ),
    "bert4keras 0.11.5, layer adaptation": Package(
        bert4keras("layer_adaptation"), BOTH, *_BERT4KERAS
    ),
    "bert4keras 0.11.5, linear rate": Package(
        bert4keras("piecewise_linear_lr", lr_schedule={5: 1, 20: 0.1}), BOTH, *_BERT4KERAS
    ),
    "bert4keras 0.11.5, accumulation": Package(
        bert4keras("gradient_accumulation", grad_accum_steps=3), BOTH, *_BERT4KERAS
    ),
    "bert4keras 0.11.5, lookahead": Package(
        bert4keras("lookahead", steps_per_slow_update=3), BOTH, *_BERT4KERAS
    ),
    "bert4keras 0.11.5, AdaFactor": Package(bert4keras_adafactor, BOTH, *_BERT4KERAS),
    "keras-adamw 1.38": Package(adamw, BOTH, "keras-adamw==1.38"),
    "keras-rnadam 0.2.0": Package(rnadam, ALL, "keras-rnadam==0.2.0"),
    "keras-gradient-noise 0.11": Package(gradient_noise, BOTH, "keras-gradient-noise==0.11"),
    "keras-rl 0.4.2, additional updates": Package(rl, BOTH, "keras-rl==0.4.2"),
    "keras-rl 0.4.2, cloned optimizer": Package(rl_clone, BOTH, "keras-rl==0.4.2"),
    "keras-bert 0.81.1, AdamWarmup": Package(adam_warmup, BOTH, *_KERAS_BERT),
    "keras-importance-sampling 0.10": Package(
        adam, BOTH, *_IMPORTANCE_SAMPLING, wrap=importance_sampling
    ),
    "keras-importance-sampling 0.10, SVRG": Package(
        adam, BOTH, *_IMPORTANCE_SAMPLING, wrap=importance_sampling_svrg
    ),
    "svrg-optimizer-keras 0.1.0": Package(svrg, BOTH, "svrg-optimizer-keras==0.1.0"),
    # It multiplies a variable in place, which those of Keras 2.3 refuse.
    "keras-contrib 0.0.2, FTML": Package(
        contrib("FTML", 0.01, decay=0.1), (KERAS_22,), repository="keras-contrib"
    ),
    "keras-contrib 0.0.2, Padam": Package(
        contrib("Padam", 0.01, amsgrad=True), BOTH, repository="keras-contrib"
    ),
    "keras-contrib 0.0.2, Yogi": Package(
        contrib("Yogi", 0.01, decay=0.1), BOTH, repository="keras-contrib"
    ),
    "keras-contrib 0.0.2, LARS": Package(
        contrib("LARS", 0.01, nesterov=True), BOTH, repository="keras-contrib"
    ),
}
