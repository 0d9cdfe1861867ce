"""Mutants that no test can or should kill, with the reason: module -> (line, changed line, reason)."""

EXPLAINED = {}  # type: Dict[str, List[Tuple[str, str, str]]]
