"""What `kubectl viridian` and the serving image must do alike with a model's files. Needs nothing but Python.

It is a package of its own because it is part of two images that share nothing else.
"""
