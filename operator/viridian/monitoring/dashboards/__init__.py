"""Dashboards for Grafana; only the generator imports them, because only it has Grafana's library."""
