"""The optimizer's variables in TensorFlow's object checkpoints, which estimators write."""

from typing import Any, Dict, List

import tensorflow.compat.v1 as tf

from keras_optimizers.tensorflow_private import Trackable, TrackableReference


class ListedForEstimators(Trackable):
    """Lists the optimizer's variables in object checkpoints, where an estimator trains.

    An estimator made with `checkpoint_format="checkpoint"` restores what its model lists and
    nothing else, so without this no second `train` and no `evaluate` can start.

    Elsewhere nothing is listed, as in the reference: `Model.load_weights` would otherwise also
    set the rate and the slots.
    """

    # What `listed_variables` says is read each time: variables may be made or replaced later.

    def listed_variables(self) -> Dict[str, Any]:
        """The variables to save, by name; none where no estimator trains."""
        return {}

    def _warn_unless_listed(self) -> None:
        if not self.__dict__.get("_warned_of_object_checkpoints"):
            self.__dict__["_warned_of_object_checkpoints"] = True
            tf.logging.warning(
                "The state of %s is not in this checkpoint: object checkpoints "
                "(`save_weights(..., save_format='tf')`, `tf.train.Checkpoint`) hold the model's "
                "weights alone. `model.save('model.h5')` and `tf.train.Saver` keep both.",
                type(self).__name__,
            )

    @property
    def _checkpoint_dependencies(self) -> List[Any]:
        """Trackable's protocol: what is saved."""
        listed = self.listed_variables()
        inherited = super()._checkpoint_dependencies
        if not listed and not inherited:
            self._warn_unless_listed()
        return inherited + [TrackableReference(name, value) for name, value in listed.items()]

    def _trackable_children(self, save_type: str = "checkpoint", **options: Any) -> Dict[str, Any]:
        """The same in TensorFlow 2.10 and later."""
        inherited = super()._trackable_children(save_type, **options)
        listed = self.listed_variables()
        if not listed and not inherited:
            self._warn_unless_listed()
        return dict(inherited, **listed)

    def _lookup_dependency(self, name: str, *cached: Any) -> Any:
        """Trackable's protocol: where a saved value goes."""
        listed = self.listed_variables()
        return listed[name] if name in listed else super()._lookup_dependency(name, *cached)
