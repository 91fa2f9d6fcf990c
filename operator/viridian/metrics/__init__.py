"""What Prometheus knows of the serving pods: few shared queries for many models."""
