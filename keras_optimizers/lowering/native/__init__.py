"""One op, written in C++, that makes a whole step: its source, its build, its library.

`cache` says where compiled libraries lie, `build` compiles one, `verdict` compares its bits with
those of TensorFlow's own ops, `library` loads it, and `choice` knows whether it is asked for.
"""
