"""``viridian import``: from the model that somebody has to a version that can be served; on a laptop, never in a pod.

Imports go downwards: commands, write, prove, learn, original and worker, readers, convert, sample, messages, faults.
"""
