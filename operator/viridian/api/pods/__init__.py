"""What a user may say of a model's pods: their template, their security, their log of predictions."""
