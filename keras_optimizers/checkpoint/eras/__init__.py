"""What each era of Keras can say: one table, its configs, its lists of weights, its releases.

Imports `storage` and what that imports, `mathematics` and `matching`.
"""
