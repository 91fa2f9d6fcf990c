"""What ``viridian`` does: one module for each command."""
