"""What a rollout is reported by beside its conditions: Events, notifications, and what its traffic can show."""
