"""What watches models when no rollout runs: rules, alerts and dashboards, as data for Prometheus and Grafana."""
