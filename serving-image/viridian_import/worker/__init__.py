"""The process that runs the original model; ``original/process.py`` starts it."""
