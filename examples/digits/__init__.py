"""Handwritten digits: four versions of one model, two to be proud of and two to be saved from."""
