"""`python -m keras_optimizers`: the same as the `keras-optimizers` command."""

import sys

from keras_optimizers.cli import main

if __name__ == "__main__":
    sys.exit(main())
