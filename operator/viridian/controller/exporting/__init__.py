"""What the operator shows of itself: metrics, and the port where Prometheus reads them. Imports no other room."""
