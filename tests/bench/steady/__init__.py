"""What a serving pod takes: the time to start, and memory over minutes of load."""
