"""Examples for users: manifests, a model on real data, and the demonstration that plays both."""
