"""`kubectl viridian drift`: what pods have counted, against the baseline beside the model."""
