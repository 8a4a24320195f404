"""Platforms: a device with a runtime, precision and thread count, as fitted profiles.

`platform.py` holds the types, `files.py` reads and writes profiles, `form.py` checks them against the
published `profile.schema.json`.
"""

from costmodel.platforms.files import dumps, find, load_profile, platforms, save_profile
from costmodel.platforms.platform import Accuracy, Doubt, Machine, Platform, Source, Stretch

__all__ = [
    "Accuracy",
    "Doubt",
    "Machine",
    "Platform",
    "Source",
    "Stretch",
    "dumps",
    "find",
    "load_profile",
    "platforms",
    "save_profile",
]
