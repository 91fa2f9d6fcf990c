"""What the demonstration says instead of a traceback."""


class DemoError(Exception):
    """Something outside the program is not as it must be; the text says what happened, why, and what to do."""
