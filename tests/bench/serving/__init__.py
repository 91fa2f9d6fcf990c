"""How fast predictions are answered: ours, Triton's own endpoint, and the Python servers that one would use instead."""
