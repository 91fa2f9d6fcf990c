"""Counters and histograms, without any rendering of their own time; imports nothing of this distribution's."""
