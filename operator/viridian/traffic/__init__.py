"""Who carries the weights: one HTTPRoute of the Gateway API for each ModelDeployment. Pure."""
