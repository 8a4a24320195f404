"""Well-known networks as builder functions, one family a file, loaded when one of its networks is asked for.

To add one, write a function in the family's file; `registry.py` says how. Its name goes into `families.py`.
"""

from costmodel.zoo.options import Option
from costmodel.zoo.registry import PREFIX, TASKS, Network, Task, build, find, load, network, networks, reference

__all__ = ["PREFIX", "TASKS", "Network", "Option", "Task", "build", "find", "load", "network", "networks", "reference"]
