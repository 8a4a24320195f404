"""Every run tests the same: hypothesis draws the same examples each time, and no machine is too slow."""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")
