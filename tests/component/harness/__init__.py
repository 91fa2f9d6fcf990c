"""Real servers as local processes, and the few helpers that tests drive them with."""
