"""HDF5, TensorFlow bundles, atomic files, and the process that reads files nobody vouches for.

Imports only `errors` and `state` of the checkpoint part.
"""
