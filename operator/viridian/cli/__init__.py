"""`kubectl viridian`: what people do with models outside of a cluster."""
