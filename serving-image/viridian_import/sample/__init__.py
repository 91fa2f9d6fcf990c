"""The sample: rows like those that the model was trained with."""
