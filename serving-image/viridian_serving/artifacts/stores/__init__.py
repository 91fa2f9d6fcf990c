"""Stores of models: a module for each, which alone imports that store's client library."""
