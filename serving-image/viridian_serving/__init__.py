"""Viridian's serving pod: Triton in one container, the prediction API in the other, one image for both."""

__version__ = "0.1.0"
