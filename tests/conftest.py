"""Every run tests the same: hypothesis draws the same examples each time, and no machine is too slow.

Files run side by side, so numerical libraries take one thread each: more would wait for each other.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")
