"""Where a model's files can be: the schemes of `spec.model.uri`, alike for the operator and the pods."""

FETCHED = frozenset({"https", "s3", "gs", "az", "hf", "mlflow", "oci"})
"""The files are brought into the pod before it starts; those of the other schemes are there already."""
STORES = FETCHED - {"https"}
"""They are read through the client library of a store."""
