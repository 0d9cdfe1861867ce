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
    "base": [
        (
            'everything_read = tf.group(name="everything_read")',
            'everything_read = tf.group(name="XXeverything_readXX")',
            "The op's name is for people who look at the graph.",
        ),
        (
            "created = None  # type: Any",
            'created = ""  # type: Any',
            "Neither names a task for the first scalar.",
        ),
    ],
    "checkpoint.eras.releases": [
        (
            'Release((layouts.KERAS_2_2.name,), ("0", "2.0.0"), amsgrad=False, '
            'slot_order="unknown"),',
            'Release((layouts.KERAS_2_2.name,), ("XX0XX", "2.0.0"), amsgrad=False, '
            'slot_order="unknown"),',
            "A bound without a number holds for every version, as 0 does.",
        ),
        (
            'Release((layouts.KERAS_2_2.name,), ("2.0.0", "2.0.6"), amsgrad=False, '
            'slot_order="name"),',
            'Release((layouts.KERAS_2_2.name,), ("XX2.0.0XX", "2.0.6"), amsgrad=False, '
            'slot_order="name"),',
            "Earlier versions are those of the release before, which is found first.",
        ),
        (
            'Release((layouts.KERAS_2_2.name,), ("2.0.6", "2.1.3"), amsgrad=False),',
            'Release((layouts.KERAS_2_2.name,), ("XX2.0.6XX", "2.1.3"), amsgrad=False),',
            "Earlier versions are those of the releases before, which are found first.",
        ),
        *[
            (before, after, "Nothing looks for this release by its versions.")
            for before, after in (
                ('_USUAL = Release((), ("", ""))', '_USUAL = Release((), ("XXXX", ""))'),
                ('_USUAL = Release((), ("", ""))', '_USUAL = Release((), ("", "XXXX"))'),
                (
                    '_UNSAID = Release((layouts.KERAS_2_2.name,), ("", ""), slot_order="unknown")',
                    '_UNSAID = Release((layouts.KERAS_2_2.name,), ("XXXX", ""), '
                    'slot_order="unknown")',
                ),
                (
                    '_UNSAID = Release((layouts.KERAS_2_2.name,), ("", ""), slot_order="unknown")',
                    '_UNSAID = Release((layouts.KERAS_2_2.name,), ("", "XXXX"), '
                    'slot_order="unknown")',
                ),
            )
        ],
        (
            'first = names[0].split(":")[0].split("/")[-1] if names else ""',
            'first = names[0].split(":")[0].split("/")[-1] if names else "XXXX"',
            "Neither is the name of a count, which is all that is asked.",
        ),
    ],
    "checkpoint.eras.configs": [
        (
            'name = "lr" if key in ("learning_rate", "lr") else clipping.get(key, key)',
            'name = "lr" if key in ("learning_rate", "XXlrXX") else clipping.get(key, key)',
            "No era clips by `lr`, so it keeps its name on the other way too.",
        ),
    ],
    "checkpoint.eras.layouts": [
        (
            '"momentum": "momentum",',
            '"XXmomentumXX": "momentum",',
            "A role without a name of the era's own keeps ours, which is the same here.",
        ),
        (
            'momentum_product="",',
            'momentum_product="XXXX",',
            "Every text but the three places means that the product is nowhere.",
        ),
    ],
    "checkpoint.eras.weight_lists": [
        (
            'firsts += [without, [*without, "m_schedule"]]',
            'firsts = [without, [*without, "m_schedule"]]',
            "What is usual is one of these two. With two slots a parameter, only one of the two "
            "fits a number of weights.",
        ),
        *[
            (
                "count = (end - len(first)) // (ahead + len(role_names)) "
                "if ahead or role_names else 0",
                after,
                "Without groups ahead, or without slots, the number is not needed.",
            )
            for after in (
                "count = (end - len(first)) // (ahead + len(role_names)) "
                "if ahead and role_names else 0",
                "count = (end - len(first)) // (ahead + len(role_names)) "
                "if ahead or role_names else 1",
            )
        ],
        (
            'if weight.array.dtype.kind in "iu":  # a count, which another variant has as such',
            'if weight.array.dtype.kind in "XXiuXX":  # a count, which another variant has as such',
            "NumPy has no kind X, so the same kinds are found in the longer text.",
        ),
        (
            "dealt[role] = items[size + index * count : size + (index + 1) * count]",
            "dealt[role] = items[size - index * count : size + (index + 1) * count]",
            "There is one such role at most, so its index is 0.",
        ),
        (
            "dealt[role] = items[size + index * count : size + (index + 1) * count]",
            "dealt[role] = items[size + index * count : size + (index + 2) * count]",
            "There is one such role at most, and the list ends behind it.",
        ),
    ],
    "lowering.fused": [
        (before, after, "Nothing looks at the value: it is only waited for.")
        for before, after in (
            ("return tf.constant(True)", "return tf.constant(False)"),
            (
                "return scratch, tf.cond(finite, lambda: tf.constant(True), clear).op",
                "return scratch, tf.cond(finite, lambda: tf.constant(False), clear).op",
            ),
        )
    ],
    "lowering.build": [
        (
            "formulas = self._formulas(group[0], update.leaves)",
            "formulas = self._formulas(group[1], update.leaves)",
            "The parameters of a group are on one device, so their coefficients are the same.",
        ),
        (
            "with colocated_with(group[0].variable):",
            "with colocated_with(group[1].variable):",
            "The parameters of a group are on one device.",
        ),
    ],
    "lowering.stacked": [
        (
            "self._first = parameters[0]",
            "self._first = parameters[1]",
            "The parameters of a group are alike in shape, dtype and device.",
        ),
    ],
}  # type: Dict[str, List[Tuple[str, str, str]]]
