"""Writing checkpoints of objects, and roots whose attributes a program has named itself.

What is written is compared with what the real TensorFlow 2.4 and 2.11 wrote for the same training:
the optimizer's objects must have the same names and the same places.
"""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from keras_optimizers import cli  # noqa: E402
from keras_optimizers.checkpoint import CheckpointError, migrate, read  # noqa: E402
from keras_optimizers.checkpoint.formats.optimizer_objects import open_objects  # noqa: E402
from tests.checkpoint.files import archives, optimizer_v2, problem  # noqa: E402

K = tf.compat.v1.keras.backend
Checkpoint = tf.compat.v1.train.Checkpoint  # its `save` takes a session
BOTH = sorted(set(problem.cases_of("object-2.4")) & set(problem.cases_of("object-2.11")))
# What no such checkpoint holds, as the recorded training had it.
KNOWN = {
    "Adam": {"epsilon": 1e-7, "beta_1": 0.9, "beta_2": 0.999},
    "Nadam": {"epsilon": 1e-7, "beta_1": 0.9, "beta_2": 0.999},
    "Adagrad": {"epsilon": 1e-7},
    "SGD": {"nesterov": False, "momentum": 0.9},
    "RMSprop": {"epsilon": 1e-7, "momentum": 0.8, "rho": 0.9},
}


def optimizer_s_objects(prefix):
    """(attributes that lead there, name of the tensor, name in the graph) of all its variables."""
    objects = open_objects(prefix)
    place = objects.chosen()
    found, waiting = set(), [("", place.number)]
    for path, number in waiting:
        node = objects.nodes[number]
        waiting += [(f"{path}/{name}", child) for name, child in node.children.items()]
        found.update(
            (f"{path}/{role}", objects.nodes[slot].key, objects.nodes[slot].full_name)
            for _, role, slot in node.slots
        )
        if node.key:
            found.add((path, node.key, node.full_name))
    return found


def migrated(source, target, to, case, **options):
    class_name = problem.ALL_CASES[case][0]
    values = KNOWN[class_name]
    return migrate(
        source, target, to, values=values, read_options={"class_name": class_name}, **options
    )


@pytest.mark.parametrize("case", BOTH)
def test_an_optimizer_v2_s_checkpoint_becomes_one_as_tensorflow_2_11_writes_it(case, tmp_path):
    source, target = archives.file_of("object-2.4", case), str(tmp_path / "new")
    assert migrated(source, target, "checkpoint-2.11", case).written
    real = archives.file_of("object-2.11", case)
    assert optimizer_s_objects(target) == optimizer_s_objects(real)
    assert_same_slots(read(target), read(source, class_name=problem.ALL_CASES[case][0]))
    assert_same_values(target, source)


@pytest.mark.parametrize("case", BOTH)
def test_a_checkpoint_of_tensorflow_2_11_becomes_one_as_optimizer_v2_writes_it(case, tmp_path):
    source, target = archives.file_of("object-2.11", case), str(tmp_path / "old")
    assert migrated(source, target, "checkpoint", case).written
    real = archives.file_of("object-2.4", case)
    # In the file that 2.4 wrote, the hyperparameters' names begin with the optimizer's.
    named = {(path, key) for path, key, _ in optimizer_s_objects(target)}
    assert named == {(path, key) for path, key, _ in optimizer_s_objects(real)}
    assert_same_slots(read(target, class_name=problem.ALL_CASES[case][0]), read(source))
    assert_same_values(target, source)


@pytest.mark.parametrize("case", BOTH)
def test_a_model_s_file_becomes_a_checkpoint_as_tensorflow_2_11_writes_it(case, tmp_path):
    source, target = archives.file_of("tf-2.11", case), str(tmp_path / "new")
    assert migrate(source, target, "checkpoint-2.11").written
    real = archives.file_of("object-2.11", case)
    assert optimizer_s_objects(target) == optimizer_s_objects(real)
    assert_same_slots(read(target), read(real))
    assert_same_values(target, real)


def assert_same_slots(one, other):
    assert (one.class_name, one.iterations) == (other.class_name, other.iterations)
    held, expected = ({entry[:2]: entry[2] for entry in state.arrays()} for state in (one, other))
    assert set(held) == set(expected)
    for place, array in held.items():
        np.testing.assert_array_equal(array.read(), expected[place].read(), str(place))


def assert_same_values(one, other):
    """The models' variables, under the same names."""
    first, second = open_objects(one), open_objects(other)
    assert set(first.variables()) == set(second.variables())
    for path, number in first.variables().items():
        held, expected = first.value(number), second.value(second.variables()[path])
        np.testing.assert_array_equal(held.read(), expected.read(), path)


def test_a_file_whose_variables_have_no_names_goes_by_way_of_an_archive(tmp_path):
    source, target = archives.file_of("keras-3.0-h5", "eleven_adam"), str(tmp_path / "new")
    with pytest.raises(CheckpointError, match=r"--to keras-3 into a \.keras file, and that one"):
        migrate(source, target, "checkpoint-2.11")
    archive = str(tmp_path / "model.keras")
    migrate(source, archive, "keras-3")
    migrate(archive, target, "checkpoint-2.11", strict=True)
    states = read(target), read(archive)
    held, expected = (list(state.arrays()) for state in states)
    assert len(held) == 24
    numbers = {f"dense_{number}/kernel": number - 1 for number in range(1, 12)}
    numbers["last/kernel"] = 11
    for (role, name, array), (other_role, other_name, other) in zip(held, expected):
        assert role == other_role
        assert name == f"layer_with_weights-{numbers[other_name]}/kernel"
        np.testing.assert_array_equal(array.read(), other.read())


def test_nadam_s_product_is_read_beside_the_list():
    source = archives.file_of("object-2.11", "nadam")
    product = tf.train.load_checkpoint(source).get_tensor(
        "optimizer/_u_product/.ATTRIBUTES/VARIABLE_VALUE"
    )
    assert read(source).scalars["m_schedule"] == product != 1


def test_a_decay_becomes_a_schedule_that_the_checkpoint_expects(tmp_path):
    target = str(tmp_path / "new")
    outcome = migrate(archives.file_of("tf-2.4", "adam_inverse_time"), target, "checkpoint-2.11")
    names = {path for path, _, _ in optimizer_s_objects(target)}
    assert "/_current_learning_rate" in names
    assert "/_learning_rate" not in names
    assert any(
        "learning_rate=InverseTimeDecay(0.01, 1, 0.1), beta_1=0.9" in note
        for note in outcome.report.notes
    )


class Program:
    """Two models with an optimizer each, in a checkpoint with names of its own."""

    def __init__(self, steps=3):
        K.clear_session()
        layers = tf.keras.layers
        self.generator = tf.keras.Sequential([layers.Dense(3, input_shape=(2,), name="make")])
        self.critic = tf.keras.Sequential([layers.Dense(1, input_shape=(3,), name="judge")])
        self.optimizers = [optimizer_v2("Adam")(0.01), optimizer_v2("SGD")(0.1, 0.9)]
        losses = tf.reduce_mean(self.generator.output**2), tf.reduce_mean(self.critic.output**2)
        models = [self.generator, self.critic]
        updates = [
            optimizer.get_updates(loss, model.trainable_weights)
            for optimizer, loss, model in zip(self.optimizers, losses, models)
        ]
        self.step = tf.Variable(0.5, name="step")
        self.root = Checkpoint(
            generator=self.generator,
            critic=self.critic,
            making=self.optimizers[0],
            judging=self.optimizers[1],
            step=self.step,
        )
        self.session = K.get_session()
        self.session.run(tf.compat.v1.global_variables_initializer())
        feeds = {self.generator.input: np.ones((4, 2)), self.critic.input: np.ones((4, 3))}
        for _ in range(steps):
            self.session.run(updates, feeds)

    def save(self, folder):
        return self.root.save(str(folder / "program"), session=self.session)


def test_of_several_optimizers_one_is_chosen_by_name(tmp_path, capfd):
    prefix = Program().save(tmp_path)
    with pytest.raises(CheckpointError, match=r"2 optimizers: judging, making\. Choose one"):
        read(prefix)
    with pytest.raises(CheckpointError, match="no optimizer 'adam'; it has: judging, making"):
        read(prefix, optimizer="adam")
    state = read(prefix, optimizer="judging")
    assert state.class_name == "SGD"
    assert [one.name for one in state.parameters] == [
        "critic/layer_with_weights-0/kernel",
        "critic/layer_with_weights-0/bias",
    ]
    assert state.iterations == 3
    assert cli.main(["inspect", prefix, "--optimizer", "judging"]) == 0
    assert "SGD" in capfd.readouterr().out


def test_a_program_restores_what_one_of_its_optimizers_became(tmp_path):
    program = Program()
    prefix = program.save(tmp_path)
    expected = [program.session.run(one.weights) for one in program.optimizers]
    options = {"optimizer": "judging"}
    new, back = str(tmp_path / "new"), str(tmp_path / "back")
    first = migrate(prefix, new, "checkpoint-2.11", read_options=options)
    assert any("made with learning_rate=0.1, momentum=0.9" in note for note in first.report.notes)
    assert read(new, optimizer="judging").provenance.format == "checkpoint-2.11"
    assert read(new, optimizer="making", class_name="Adam").provenance.format == "checkpoint"
    values = {"momentum": 0.9, "nesterov": False}
    migrate(new, back, "checkpoint", read_options=options, values=values)
    again = Program(steps=0)
    again.root.restore(back).assert_consumed().run_restore_ops(again.session)
    held = [again.session.run(one.weights) for one in again.optimizers]
    for one, other in zip(held, expected):
        assert len(one) == len(other)
        for value, expected_value in zip(one, other):
            np.testing.assert_array_equal(value, expected_value)
    assert again.session.run(again.step) == 0.5


def test_other_objects_of_a_program_keep_their_values(tmp_path):
    program = Program()
    table = tf.lookup.experimental.DenseHashTable(tf.int64, tf.float32, 0.0, -1, -2)
    iterator = tf.compat.v1.data.make_initializable_iterator(tf.data.Dataset.range(5))
    root = Checkpoint(table=table, optimizer=program.optimizers[1], iterator=iterator)
    root.model = program.critic
    program.session.run([table.insert([7, 8], [0.25, 0.5]), iterator.initializer])
    prefix = root.save(str(tmp_path / "tables"), session=program.session)
    new = str(tmp_path / "new")
    report = migrate(prefix, new, "checkpoint-2.11").report
    before, after = tf.train.load_checkpoint(prefix), tf.train.load_checkpoint(new)
    names = [name for name in before.get_variable_to_shape_map() if "table" in name]
    assert len(names) > 1
    for name in names:
        np.testing.assert_array_equal(before.get_tensor(name), after.get_tensor(name))
    lost = [entry for entry in report.inexact if entry.field == "objects"]
    assert len(lost) == 1 and "iterator/" in lost[0].explanation


def test_a_counter_that_the_program_also_holds_stays_one_object(tmp_path):
    program = Program()
    root = Checkpoint(steps=program.optimizers[0].iterations, opt=program.optimizers[0])
    root.model = program.generator
    prefix = root.save(str(tmp_path / "shared"), session=program.session)
    new = str(tmp_path / "new")
    migrate(prefix, new, "checkpoint-2.11", read_options={"class_name": "Adam"})
    objects = open_objects(new)
    optimizer = objects.nodes[objects.chosen().number]
    assert objects.nodes[0].children["steps"] == optimizer.children["_iterations"]
    assert read(new).iterations == 3


def test_both_directions_of_a_bidirectional_layer_keep_their_slots(tmp_path):
    K.clear_session()
    layers = tf.keras.layers
    both = layers.Bidirectional(layers.GRU(2, name="unit"), input_shape=(3, 2), name="both")
    model = tf.keras.Sequential([both, layers.Dense(1)])
    model.compile(optimizer_v2("Adam")(0.01), "mse")
    model.fit(np.random.RandomState(0).rand(4, 3, 2), np.ones((4, 1)), verbose=0)
    model.save_weights(str(tmp_path / "objects"), save_format="tf")
    K.clear_session()
    # In another program the layers have other names, so names do not help.
    both = layers.Bidirectional(layers.GRU(2, name="cell"), input_shape=(3, 2), name="two")
    other = tf.keras.Sequential([both, layers.Dense(1)])
    other.compile(optimizer_v2("Adam")(0.01), "mse")
    other.load_weights(str(tmp_path / "objects"))
    other._make_train_function()
    other.save(str(tmp_path / "model.h5"))
    expected = read(str(tmp_path / "model.h5"))
    state = read(str(tmp_path / "objects"), class_name="Adam", model=str(tmp_path / "model.h5"))
    for role, name, array in expected.arrays():
        np.testing.assert_array_equal(array.read(), state.slots[role][name].read(), name)
