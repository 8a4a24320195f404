"""Two networks beside each other: what was added, removed and changed, and what that costs.

layers.py        a network as the layers that a runtime runs; spelling.py gives what exporters write in several ways
                 one form
fingerprints.py  numbers of layers and their surroundings; alignment.py finds which layer is which with them, gaps.py
                 by likeness where they do not tell, sliding.py which of several like ones were added
delays.py        how much longer a run takes, and how sure that is
compare.py       puts them together; result.py is what comes out
"""

from costmodel.comparing.compare import compare
from costmodel.comparing.layers import Layer
from costmodel.comparing.result import Change, Comparison, Delay, Difference, State, Verdict

__all__ = ["Change", "Comparison", "Delay", "Difference", "Layer", "State", "Verdict", "compare"]
