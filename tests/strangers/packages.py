"""The packages from PyPI that are tried, and how to make an optimizer of each.

Each function gets the host (`keras` or `tf.keras`) and returns the optimizer and the custom objects
that `load_model` needs. It imports its package itself: only one package is there at a time.
"""


class Package:
    """One row of the table.

    Arguments:
        requirements: what pip installs, without dependencies; the first names the row.
        make: the function that makes the optimizer.
        hosts: the hosts that the package supports.
        sources: the folder of tests in its source release; None where it has none.
    """

    def __init__(self, make, hosts, *requirements, tests=None):
        self.make, self.hosts, self.requirements, self.tests = make, hosts, requirements, tests


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


KERAS_22, KERAS_23, TF_KERAS = "keras==2.2.5", "keras==2.3.1", "tf.keras"
BOTH, ALL = (KERAS_22, KERAS_23), (KERAS_22, KERAS_23, TF_KERAS)

_BERT4KERAS = ("bert4keras==0.11.5",)
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
    "svrg-optimizer-keras 0.1.0": Package(svrg, BOTH, "svrg-optimizer-keras==0.1.0"),
}
