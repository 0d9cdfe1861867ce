"""Behaviour of the real TensorFlow 1.10.0, recorded. The modules here import nothing of ours."""
