"""How often drift is seen that is none, and how soon some that is."""
