"""What the rules and the dashboards cost a Prometheus with many models."""
