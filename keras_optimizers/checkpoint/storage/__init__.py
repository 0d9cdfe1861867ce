"""HDF5, TensorFlow bundles, atomic files, and the process that reads them."""
