"""From the formulas of an update rule to the ops of a step."""
