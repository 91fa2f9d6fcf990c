"""Evidence in numbers: e-processes, and the arithmetic that serves one rollout and thousands at once."""
