"""Why an import cannot go on."""


class ImportFault(Exception):
    """The import ends here. The message is a sentence: what happened, why, and what to do."""
