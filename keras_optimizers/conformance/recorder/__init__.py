"""Records how an optimizer behaves, in any environment: numpy and the recorded package suffice.

    python keras_optimizers/conformance/recorder tf-1.10 --output recordings

The modules import each other and nothing else of `keras_optimizers`, so this folder runs alone
under Python 3.6 with TensorFlow 1.4 as well as inside the package. What an upstream version did and
what an optimizer under test does come from the same code.
"""
