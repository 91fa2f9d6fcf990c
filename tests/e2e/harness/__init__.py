"""What the end-to-end tests are made of: the cluster as its users see it, clients of a model, one model on stage."""
