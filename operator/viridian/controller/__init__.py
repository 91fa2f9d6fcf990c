"""The shell: watches, the queue, the ticker, and the one place that joins all other parts."""
