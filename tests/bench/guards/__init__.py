"""How often guards roll back a healthy candidate, and how soon a bad one: ours, and rules that others use."""
