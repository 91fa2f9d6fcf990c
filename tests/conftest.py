"""What all tests have in common."""

from hypothesis import settings

# How fast a busy machine is proves nothing about what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
