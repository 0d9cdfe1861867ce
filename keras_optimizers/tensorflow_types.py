"""Names for TensorFlow's types in signatures. TensorFlow 1.15 ships no type information."""

from typing import Any

Tensor = Any
Variable = Any
Session = Any
