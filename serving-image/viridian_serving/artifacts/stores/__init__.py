"""Stores of models: a module for each, which alone imports that store's client library.

A store is a module with ``open_store(source)``, which returns a ``Store``: the files that an address names, and the
bytes of a range of one. ``opening`` names the module of each scheme, and ``viridian_shared.sources`` has the scheme.
Everything else is alike for all of them: ranges in parallel, resuming, hashes, limits (``transfer``), and the cache.
"""
