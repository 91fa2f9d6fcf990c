"""From an intended status and what was observed to the writes between the two. May import `viridian.rollout`."""
