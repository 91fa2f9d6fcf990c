"""The commands that write the chart's rules and dashboards."""
