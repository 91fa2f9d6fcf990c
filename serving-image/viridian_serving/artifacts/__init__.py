"""Model files: where they are, how they are fetched, unpacked and told apart; may import settings."""
