"""From a file to a model that answers: one module for each kind of file. They run in the worker's process."""
