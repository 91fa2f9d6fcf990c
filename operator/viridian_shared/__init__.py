"""What `kubectl viridian` and the serving image must do alike with a model's files. Needs nothing but Python.

It is a package of its own because it is part of two images that share nothing else.
"""

__version__ = "0.1.0"
"""The version of everything in this repository, by Semantic Versioning. charts/viridian/Chart.yaml repeats it."""
