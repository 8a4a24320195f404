"""The ShuffleNet V2 paper's guidelines G1 to G4 as rules: where a design breaks them, and what that costs.

One file a rule, whose docstring is its documentation: g1_equal_width.py, g2_group_convolution.py,
g3_fragmentation.py, g4_elementwise.py; `rules.py` lists them. A rule looks at the `network.py` (layers and who reads
whose channels; `blocks.py` finds its blocks), and prices what to use instead with `remedies.py` on a `clock.py`, one
a platform. `review.py` weighs what the rules report, as the user's `options.py` say; `waivers.py` takes out what the
user accepts; `finding.py` holds the results.
"""

from costmodel.guidelines.clock import Clock
from costmodel.guidelines.finding import Finding, Review, Saving, Severity, record, saving_record
from costmodel.guidelines.options import Options
from costmodel.guidelines.review import review, totals
from costmodel.guidelines.rules import RULES, Rule, chosen, find_rule
from costmodel.guidelines.waivers import Waiver, load_waivers, waive

__all__ = [
    "RULES",
    "Clock",
    "Finding",
    "Options",
    "Review",
    "Rule",
    "Saving",
    "Severity",
    "Waiver",
    "chosen",
    "find_rule",
    "load_waivers",
    "record",
    "review",
    "saving_record",
    "totals",
    "waive",
]
