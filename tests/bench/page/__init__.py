"""The page of `kubectl viridian dashboard` with many models."""
