"""Rollouts played in advance: the operator's own rules over drawn traffic. Pure: a seed in, figures out."""
