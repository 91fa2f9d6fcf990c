"""Signed tokens and the accuracy that they bring; may import codec and below."""
