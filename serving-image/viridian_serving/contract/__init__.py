"""What the API takes and gives, and how that is described; may import codec, artifacts and below."""
