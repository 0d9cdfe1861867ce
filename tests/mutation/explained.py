"""Mutants that no test can kill, with the reason: by module (line, changed line, reason)."""

EXPLAINED = {
    "sgd": [
        (
            'return {"learning_rate": scalars.learning_rate, "check": check}',
            'return {"learning_rate": scalars.learning_rate, "XXcheckXX": check}',
            "No rule reads this coefficient. The assertion only has to be among the coefficients, "
            "so that the step waits for it; its name does not matter.",
        ),
    ],
    "weights": [
        (
            'if array.dtype.kind not in "iuf":',
            'if array.dtype.kind not in "XXiufXX":',
            "NumPy has no kind X, so the same kinds are found in the longer text.",
        ),
        (
            'if result.dtype.kind in "iu":',
            'if result.dtype.kind in "XXiuXX":',
            "NumPy has no kind X, so the same kinds are found in the longer text.",
        ),
    ],
    "gradients": [
        (
            'if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":',
            'if np.ndim(value) or np.asarray(value).dtype.kind not in "XXbiufXX":',
            "NumPy has no kind X, so the same kinds are found in the longer text.",
        ),
        (
            "factor = tf.where(global_norm >= norm, norm / global_norm, tf.ones_like(global_norm))",
            "factor = tf.where(global_norm > norm, norm / global_norm, tf.ones_like(global_norm))",
            "Where both are equal, their quotient is exactly one, which is the other branch.",
        ),
    ],
}  # type: Dict[str, List[Tuple[str, str, str]]]
