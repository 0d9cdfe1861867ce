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
}  # type: Dict[str, List[Tuple[str, str, str]]]
