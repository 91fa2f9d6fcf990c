"""What the operator, `kubectl viridian` and the serving image must agree on. Needs nothing but Python.

It is a separate package because it is part of two images that share nothing else. Its modules are the contract
between operator and pods (what the operator sets, what pods count, how they end), and what all do alike with the files
of a model.
"""

__version__ = "0.1.0"
"""The version of everything in this repository, by Semantic Versioning. charts/viridian/Chart.yaml repeats it."""
