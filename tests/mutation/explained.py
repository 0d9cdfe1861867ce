"""Mutants that no test can kill, with the reason: by module (line, changed line, reason)."""

EXPLAINED = {}  # type: Dict[str, List[Tuple[str, str, str]]]
