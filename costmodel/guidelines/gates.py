"""Squeeze-excite found in a graph: a map is pooled, two small layers make a factor for each channel, and multiply it
(Hu et al., CVPR 2018, Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping

from costmodel.graph import Node
from costmodel.guidelines.network import Network
from costmodel.kernels import Kind

_LONGEST = 16  # operators from the pooling to the product


def gates(network: Network) -> dict[str, tuple[Node, ...]]:
    """Each squeeze-excite by the name of its product: its operators in the order of execution."""
    writer = {name: node for node in network.graph.nodes for name in node.outputs if name}
    result = {}
    for node in network.graph.nodes:
        if node.op_type == "Mul" and len(node.inputs) == 2:
            chain = _chain(network, writer, node)
            if chain:
                result[node.name] = chain
    return result


def _chain(network: Network, writer: Mapping[str, Node], product: Node) -> tuple[Node, ...]:
    """From the pooling of one operand to the product with it; empty where the product is no such gate."""
    tensors = network.graph.tensors
    operands = [name for name in product.inputs if name in tensors and not tensors[name].is_constant]
    sizes = {name: size for name in operands if isinstance(size := tensors[name].elements, int)}
    if len(sizes) != 2 or len(set(sizes.values())) == 1:
        return ()
    factor, pooled = sorted(sizes, key=sizes.__getitem__)
    chain = [product]
    while len(chain) < _LONGEST and factor in writer:
        node = writer[factor]
        chain.append(node)
        data = [name for name in node.inputs if name in tensors and not tensors[name].is_constant]
        if network.kinds[node.name] is Kind.REDUCTION:
            return tuple(reversed(chain)) if data == [pooled] else ()
        if len(data) != 1:
            return ()
        factor = data[0]
    return ()
