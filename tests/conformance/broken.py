"""Optimizers with one defect each, which the kit must find and describe."""

import tensorflow.compat.v1 as tf

import keras_optimizers

K = tf.keras.backend


class EpsilonInsideTheRoot(keras_optimizers.RMSprop):
    """Adds epsilon before it takes the root."""

    def update_rule(self, parameter, gradient, slots, coefficients):
        _, new_slots = super().update_rule(parameter, gradient, slots, coefficients)
        mean_square = new_slots[self.slot_roles[0]]
        rate = coefficients.learning_rate
        return parameter - rate * gradient / tf.sqrt(mean_square + self.epsilon), new_slots


class LateDecay(keras_optimizers.SGD):
    """The decay begins one step late."""

    def step_coefficients(self, step):
        found = super().step_coefficients(step)
        late = tf.maximum(tf.cast(self.iterations, "float32") - 1.0, 0.0)
        if self.initial_decay and step.dtype == tf.float32:
            found["learning_rate"] = self.lr / (1.0 + self.decay * late)
        return found


class MomentumWithTheWrongSign(keras_optimizers.SGD):
    """The velocity is subtracted from the step."""

    def step_coefficients(self, step):
        found = super().step_coefficients(step)
        found["momentum"] = -found["momentum"]
        return found


class SwappedSlots(keras_optimizers.Adam):
    """Gives its weights in another order."""

    def get_updates(self, loss, params):
        updates = super().get_updates(loss, params)
        count = len(params)
        slots = self.weights[1:]
        self.weights = self.weights[:1] + slots[count : 2 * count] + slots[:count]
        self.weights += slots[2 * count :]
        return updates


class Racing(keras_optimizers.SGD):
    """Counts its steps without an order between that and the readers, as the original does."""

    def get_updates(self, loss, params):
        [gradient] = [self.get_gradients(loss, params)]
        rate = self.lr * (1.0 / (1.0 + self.decay * K.cast(self.iterations, "float32")))
        self.weights = [self.iterations]
        moved = [K.update(p, p - rate * g) for p, g in zip(params, gradient)]
        return [K.update_add(self.iterations, 1)] + moved


class OtherConfig(keras_optimizers.SGD):
    """Takes any keyword, and has one more key in its config."""

    def __init__(self, rate=0.0, **arguments):
        super().__init__(**arguments)
        self.rate = rate

    def get_config(self):
        return dict(super().get_config(), rate=self.rate)


def renamed(**arguments):
    """A function that makes an optimizer, under another name."""
    return keras_optimizers.Adam(**arguments)
