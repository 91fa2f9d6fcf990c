"""The named errors of the operator. Each message is a sentence for the user: what, why, and the way out."""


class ViridianError(Exception):
    """Base of all errors that the operator raises itself."""


class InvalidSpec(ViridianError):
    """A stored ModelDeployment that today's models do not accept."""


class BrokenChild(ViridianError):
    """A child whose content cannot be read."""


class ForeignChild(ViridianError):
    """An object under one of our names that belongs to somebody else."""


class NotAsWritten(ViridianError):
    """Objects that somebody else changes as often as we write them."""


class ConfigurationError(ViridianError):
    """The operator's own settings cannot work."""
