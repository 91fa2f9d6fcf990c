"""What a model and its rollouts cost, for `status` and `history`."""
