"""A model's config in another era's words, and where each era keeps a model's variables.

Imports `eras` and what that imports; knows no file.
"""
