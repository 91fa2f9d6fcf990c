"""What Triton's container needs: configuration, repository, backend, supervisor; may import contract and below."""
