"""Notifications of what happened to models: sent after it happened, and never in its way."""
