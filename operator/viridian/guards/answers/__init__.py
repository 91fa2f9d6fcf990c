"""Does the candidate answer something else than stable? Predictions, agreement in shadow, and accuracy by feedback."""
