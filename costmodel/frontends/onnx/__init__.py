"""ONNX models: read without their weights and turned into the graph IR, and written from it with random weights.

wire.py         takes the weights out of the bytes
file.py         parses what is left
importer.py     walks the nodes; ordering.py sorts them, control_flow.py and functions.py walk those that
                hold graphs of their own
free_dims.py    settles the dims that a model leaves free; solving.py finds those that the graph fixes
protos.py       translates single messages; metadata.py those that say where an operator comes from
checks.py       refuses what is unsafe
annotate.py     writes metadata into a model's nodes and copies the rest untouched
writer.py       writes a graph as a model; random_weights.py fills its constants
"""

from costmodel.frontends.onnx.free_dims import Wishes
from costmodel.frontends.onnx.importer import load
from costmodel.frontends.onnx.writer import save, write

__all__ = ["Wishes", "load", "save", "write"]
