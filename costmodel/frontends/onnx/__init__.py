"""ONNX models: read without their weights, and turned into the graph IR.

wire.py takes the weights out of the bytes, file.py parses what is left, importer.py walks the nodes
(control_flow.py and functions.py those that hold graphs of their own), free_dims.py settles the dims
that a model leaves free, protos.py and metadata.py translate single messages, checks.py refuses what
is unsafe, ordering.py sorts.
"""

from costmodel.frontends.onnx.free_dims import Wishes
from costmodel.frontends.onnx.importer import load

__all__ = ["Wishes", "load"]
