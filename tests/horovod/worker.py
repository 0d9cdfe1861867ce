"""What each process of the Horovod tests runs: small models, trained on this process's share.

    horovodrun --gloo -np 2 -H localhost:2 python tests/horovod/worker.py FOLDER first
    horovodrun --gloo -np 2 -H localhost:2 python tests/horovod/worker.py FOLDER resumed

Every scenario writes what it ends with to `FOLDER/<scenario>.<rank>.npz`. The second command goes
on from the files of the first. `test_horovod.py` compares them with one process's training, for
which it takes the model and the batches from here.
"""

import argparse
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow 1.15 imports with NumPy's FutureWarnings, which are not ours to mend.
warnings.filterwarnings("ignore", category=FutureWarning)

import numpy as np  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402

import keras_optimizers  # noqa: E402
from keras_optimizers import checkpoint  # noqa: E402
from keras_optimizers.tensorflow_private import silence_deprecation_warnings  # noqa: E402

K = tf.keras.backend

STEPS = 10
BATCH = 32  # of both processes together

# One configuration a class, with decay where the class knows it and r1.10's weights hold the count.
CONFIGURATIONS = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "decay": 0.1},
    "RMSprop": {"lr": 0.01, "decay": 0.1},
    "Adagrad": {"lr": 0.05, "decay": 0.1},
    "Adadelta": {"lr": 0.5, "decay": 0.1},
    "Adam": {"lr": 0.01, "decay": 0.1},
    "Adamax": {"lr": 0.01, "decay": 0.1},
    "Nadam": {"lr": 0.01},
}
# Upstream's own classes race where they have a decay, and Nadam always.
WITHOUT_RACES = ["SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax"]
CLIPPING = {
    "clipnorm": {"clipnorm": 0.1},
    "clipvalue": {"clipvalue": 0.02},
    "global_clipnorm": {"global_clipnorm": 0.1},
}


def configured(class_name, **more):
    """An optimizer with the class's configuration."""
    return getattr(keras_optimizers, class_name)(**dict(CONFIGURATIONS[class_name], **more))


def without_decay(class_name):
    """The class's configuration, without what upstream's own classes race over."""
    return {name: v for name, v in CONFIGURATIONS[class_name].items() if name != "decay"}


def fresh(floatx="float32"):
    """A new graph and session in this precision."""
    K.clear_session()
    K.set_floatx(floatx)


def build_model(lookups=False, seed=1):
    """Two small layers, with `lookups` after an embedding; values from `seed`."""
    layers = tf.keras.layers
    if lookups:
        inputs = layers.Input((3,), dtype="int32")
        hidden = layers.Flatten()(layers.Embedding(11, 4)(inputs))
    else:
        hidden = inputs = layers.Input((6,))
    hidden = layers.Dense(8, activation="tanh")(hidden)
    model = tf.keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))
    random = np.random.RandomState(seed)
    model.set_weights([random.uniform(-0.7, 0.7, value.shape) for value in model.get_weights()])
    return model


def compiled(optimizer, **model):
    """A model with its train function, and with that the optimizer's slots."""
    built = build_model(**model)
    built.compile(optimizer, loss="sparse_categorical_crossentropy")
    built._make_train_function()
    return built


def batches(lookups=False, count=STEPS, seed=2, size=BATCH):
    """Pairs of features and labels. Rows repeat in a batch, also across the processes' shares."""
    random = np.random.RandomState(seed)
    result = []
    for _ in range(count):
        features = random.standard_normal((size, 6))
        words = random.randint(9, size=(size, 3))  # rows 9 and 10 are never looked up
        labels = random.randint(3, size=(size, 1))
        result.append((words if lookups else features, labels))
    return result


def share(batch, rank, size=2):
    """The rows of one process."""
    return tuple(part[rank::size] for part in batch)


def train(model, data):
    for features, labels in data:
        model.train_on_batch(features, labels)
    return model


def arrays_of(model):
    """Parameters, the optimizer's weights, and its count of steps."""
    optimizer = model.optimizer
    return model.get_weights() + optimizer.get_weights() + [K.get_value(optimizer.iterations)]


def aggregated_batches(first_only=False):
    """Batches of which every two make a step: (all, those of twice the size that they make)."""
    halves = batches(lookups=True, count=2 * STEPS)
    pairs = zip(halves[::2], halves[1::2])
    return halves, [tuple(np.concatenate(parts) for parts in zip(*pair)) for pair in pairs]


class Worker:
    """One process of two."""

    def __init__(self, hvd, folder):
        self.hvd = hvd
        self.folder = folder
        self.rank = hvd.rank()

    def write(self, scenario, arrays):
        path = os.path.join(self.folder, "%s.%d.npz" % (scenario, self.rank))
        np.savez(path, *arrays)

    def path(self, name):
        return os.path.join(self.folder, name)

    def own(self, data):
        return [share(batch, self.rank) for batch in data]

    def trained(self, optimizer, lookups=False, **options):
        """A model after all batches, under Horovod."""
        distributed = self.hvd.DistributedOptimizer(optimizer, **options)
        model = compiled(distributed, lookups=lookups)
        return train(model, self.own(batches(lookups)))

    # Two processes and one.

    def dense_gradients(self):
        for floatx in ("float32", "float64"):
            for class_name in CONFIGURATIONS:
                fresh(floatx)
                model = self.trained(configured(class_name))
                self.write("dense-%s-%s" % (floatx, class_name), arrays_of(model))

    def lookups(self):
        for class_name in CONFIGURATIONS:
            for as_dense in (False, True):
                fresh("float64")
                optimizer = configured(class_name)
                model = self.trained(optimizer, lookups=True, sparse_as_dense=as_dense)
                kind = "as_dense" if as_dense else "sparse"
                self.write("%s-%s" % (kind, class_name), arrays_of(model))

    def fused(self):
        fresh("float64")
        model = self.trained(configured("Adam", fused=True), lookups=True)
        assert model.optimizer.fused
        self.write("fused", arrays_of(model))

    def wrapped_tf_train(self):
        import horovod.tensorflow

        fresh("float64")
        wrapped = horovod.tensorflow.DistributedOptimizer(tf.train.AdamOptimizer(0.01))
        model = compiled(keras_optimizers.TFOptimizer(wrapped))
        train(model, self.own(batches()))
        count = K.get_value(model.optimizer.iterations)
        self.write("tf_train", model.get_weights() + [count])

    def half_precision_on_the_wire(self):
        fresh()
        model = self.trained(configured("Adam"), compression=self.hvd.Compression.fp16)
        self.write("compressed", arrays_of(model))

    # Upstream's own classes in the same place.

    def like_upstream(self):
        from tensorflow.python.keras import optimizers as upstream

        for module, of in ((upstream, "upstream"), (keras_optimizers, "ours")):
            for class_name in WITHOUT_RACES:
                for lookups in (False, True):
                    fresh()
                    optimizer = getattr(module, class_name)(**without_decay(class_name))
                    model = self.trained(optimizer, lookups=lookups)
                    kind = "lookups" if lookups else "dense"
                    self.write("%s-%s-%s" % (of, kind, class_name), arrays_of(model))
            for name in ("clipnorm", "clipvalue"):
                fresh()
                model = self.trained(module.SGD(lr=0.5, **CLIPPING[name]))
                self.write("%s-%s" % (of, name), arrays_of(model))

    # Clipping.

    def clipping(self):
        for name, options in CLIPPING.items():
            fresh("float64")
            optimizer = self.hvd.DistributedOptimizer(keras_optimizers.SGD(lr=0.5, **options))
            assert optimizer.get_config()[name] == options[name]
            model = compiled(optimizer)
            train(model, self.own(batches(count=1)))
            self.write("clipped-%s" % name, model.get_weights())

    def clipping_of_the_average(self):
        fresh("float64")
        optimizer = self.hvd.DistributedOptimizer(configured("SGD"))
        averaged = optimizer.get_gradients
        optimizer.get_gradients = lambda loss, params: tf.clip_by_global_norm(
            averaged(loss, params), CLIPPING["global_clipnorm"]["global_clipnorm"]
        )[0]
        self.write("average_clipped", arrays_of(train(compiled(optimizer), self.own(batches()))))

    # Gradient aggregation.

    def aggregation(self):
        data, _ = aggregated_batches()
        for class_name in CONFIGURATIONS:
            for fused in (False, True):
                fresh("float64")
                optimizer = self.aggregating(configured(class_name, fused=fused))
                model = compiled(optimizer, lookups=True)
                before = arrays_of(model)
                train(model, self.own(data[:1]))
                name = "%s-%s" % (class_name, "fused" if fused else "exact")
                self.write("half_a_step-%s" % name, arrays_of(model))
                self.write("no_step-%s" % name, before)
                train(model, self.own(data[1:]))
                self.write("aggregated-%s" % name, arrays_of(model))

    def aggregating(self, optimizer):
        return self.hvd.DistributedOptimizer(
            optimizer,
            backward_passes_per_step=2,
            average_aggregated_gradients=True,
            sparse_as_dense=True,
        )

    def aggregation_with_upstream(self):
        from tensorflow.python.keras import optimizers as upstream

        fresh("float64")
        model = compiled(self.aggregating(upstream.SGD(lr=0.05)), lookups=True)
        train(model, self.own(aggregated_batches()[0]))
        self.write("upstream_aggregated", arrays_of(model))

    def aggregation_of_lookups_is_refused(self):
        fresh()
        optimizer = self.hvd.DistributedOptimizer(configured("Adam"), backward_passes_per_step=2)
        try:
            compiled(optimizer, lookups=True)
        except ValueError as error:
            message = str(error)
        self.write("refused", [np.array(message)])

    # Broadcast.

    def different(self):
        """A model whose parameters and optimizer state are rank 0's own: (model, its arrays)."""
        fresh()
        optimizer = self.hvd.DistributedOptimizer(configured("Adam"))
        model = compiled(optimizer, seed=1 + self.rank)
        if self.rank == 0:
            random = np.random.RandomState(7)
            state = [random.uniform(0.1, 0.2, w.shape) for w in optimizer.get_weights()[1:]]
            optimizer.set_weights([np.array(40)] + state)
            K.set_value(optimizer.lr, 0.02)
        return model

    def broadcast(self):
        model = self.different()
        self.write("different", arrays_of(model))
        self.hvd.broadcast_global_variables(0)
        self.write("broadcast", [*arrays_of(model), K.get_value(model.optimizer.lr)])
        train(model, self.own(batches()))
        self.write("broadcast_and_trained", arrays_of(model))
        if self.rank == 0:
            model.save(self.path("known_to_all.h5"))

    def broadcast_by_the_callback(self):
        model = self.different()
        features, labels = batches(count=1)[0]
        features, labels = share((features, labels), self.rank)
        model.fit(
            features,
            labels,
            batch_size=8,
            epochs=3,
            shuffle=False,
            verbose=0,
            callbacks=[
                self.hvd.callbacks.BroadcastGlobalVariablesCallback(0),
                self.hvd.callbacks.MetricAverageCallback(),
            ],
        )
        self.write("by_callback", [*arrays_of(model), K.get_value(model.optimizer.lr)])

    # Stop and go on: `first` trains on and stops, `resumed` is another pair of processes.

    STOP = STEPS // 2

    def stop(self):
        for class_name in CONFIGURATIONS:
            fresh()
            optimizer = self.hvd.DistributedOptimizer(configured(class_name, global_clipnorm=0.5))
            model = compiled(optimizer, lookups=True)
            data = self.own(batches(lookups=True))
            train(model, data[: self.STOP])
            if self.rank == 0:
                self.save(model, class_name)
            train(model, data[self.STOP :])
            self.write("uninterrupted-%s" % class_name, arrays_of(model))

    def save(self, model, class_name):
        """What Keras saves; completed for classes whose layout of r1.10 drops `iterations`."""
        path = self.path("%s.h5" % class_name)
        model.save(path)
        if "iterations" not in model.optimizer.weight_scalars:
            incomplete = self.path("%s-incomplete.h5" % class_name)
            os.rename(path, incomplete)
            state = checkpoint.capture(model.optimizer)
            checkpoint.write(state, path, "keras-optimizers", source=incomplete)

    def go_on(self):
        data = self.own(batches(lookups=True))[self.STOP :]
        for class_name in CONFIGURATIONS:
            fresh()
            with keras_optimizers.install():
                model = self.hvd.load_model(self.path("%s.h5" % class_name))
            kind = type(model.optimizer)
            assert kind.__name__ == class_name
            assert kind.__bases__ == (getattr(keras_optimizers, class_name),)
            assert model.optimizer.global_clipnorm == 0.5
            self.write("resumed-%s" % class_name, arrays_of(train(model, data)))

    def go_on_with_options(self):
        """`load_model` passes no options on: a custom object does."""
        fresh()

        def optimizer(**config):
            return self.hvd.DistributedOptimizer(
                keras_optimizers.Adam(**config), sparse_as_dense=True
            )

        model = self.hvd.load_model(self.path("Adam.h5"), custom_objects={"adam": optimizer})
        assert type(model.optimizer).__bases__ == (keras_optimizers.Adam,)
        train(model, self.own(batches(lookups=True))[self.STOP :])
        self.write("resumed_as_dense", arrays_of(model))

    def load_without_ours(self):
        """What Horovod's `load_model` makes of the file where ours are not installed."""
        found = []
        for optimizers in (None, [keras_optimizers.Adam]):
            fresh()
            model = self.hvd.load_model(self.path("known_to_all.h5"), custom_optimizers=optimizers)
            found.append(type(model.optimizer).__bases__[0].__module__)
        self.write("loaded_without_ours", [np.array(found)])

    def go_on_from_rank_0_alone(self):
        """Only rank 0 has the file: it loads, and broadcasts before the first batch."""
        fresh()
        optimizer = self.hvd.DistributedOptimizer(configured("Adam", global_clipnorm=0.5))
        model = compiled(optimizer, lookups=True, seed=5 + self.rank)
        if self.rank == 0:
            model.load_weights(self.path("Adam.h5"))
            checkpoint.restore(model.optimizer, checkpoint.read(self.path("Adam.h5")))
        self.hvd.broadcast_global_variables(0)
        train(model, self.own(batches(lookups=True))[self.STOP :])
        self.write("resumed_from_rank_0", arrays_of(model))


PARTS = {
    "first": [
        Worker.dense_gradients,
        Worker.lookups,
        Worker.fused,
        Worker.wrapped_tf_train,
        Worker.half_precision_on_the_wire,
        Worker.like_upstream,
        Worker.clipping,
        Worker.clipping_of_the_average,
        Worker.aggregation,
        Worker.aggregation_with_upstream,
        Worker.aggregation_of_lookups_is_refused,
        Worker.broadcast,
        Worker.broadcast_by_the_callback,
        Worker.stop,
    ],
    "resumed": [
        Worker.go_on,
        Worker.go_on_with_options,
        Worker.load_without_ours,
        Worker.go_on_from_rank_0_alone,
    ],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="for the results")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--only", help="the name of one scenario")
    options = parser.parse_args()
    import horovod.tensorflow.keras as hvd

    silence_deprecation_warnings()
    hvd.init()
    assert hvd.size() == 2, hvd.size()
    worker = Worker(hvd, options.folder)
    for scenario in PARTS[options.part]:
        if options.only in (None, scenario.__name__):
            print(scenario.__name__, flush=True)
            scenario(worker)


if __name__ == "__main__":
    main()
