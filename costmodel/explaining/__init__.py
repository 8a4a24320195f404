"""Why a network costs what it costs: a guideline with its equation, an operator with its time.

`equations.py` derives the paper's equations from the operators' own code; `rule.py` sets a guideline beside its
worked example. `node.py` tells what an operator's time is made of, `formula.py` what its counts are made of, and
`changes.py` what else it would take if it were another.
"""

from costmodel.explaining.node import NodeExplanation, NodeTime, explain_node, find_node
from costmodel.explaining.rule import RuleExplanation, explain_rule

SCHEMA = "costmodel.explanation/1"

__all__ = ["SCHEMA", "NodeExplanation", "NodeTime", "RuleExplanation", "explain_node", "explain_rule", "find_node"]
