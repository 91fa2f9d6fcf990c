"""One pass over one model: observe, decide, apply. May import `guarding` and the rooms below it."""
