"""What pods count: the names of their series, and the values of their labels."""
