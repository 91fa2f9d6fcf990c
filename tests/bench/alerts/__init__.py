"""Scenarios of alerts."""
