"""Panels of the dashboards, drawn from an hour of real pods, since Grafana is no part of the tests."""
