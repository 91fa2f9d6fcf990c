"""Whether the demonstration loses requests: many runs of it, some of them on a busy machine."""
