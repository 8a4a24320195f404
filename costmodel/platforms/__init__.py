"""Platforms: a device with a runtime, precision and thread count, as fitted profiles."""

from costmodel.platforms.platform import Accuracy, Doubt, Machine, Platform, Source

__all__ = ["Accuracy", "Doubt", "Machine", "Platform", "Source"]
