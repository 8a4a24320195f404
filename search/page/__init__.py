"""A search's outcome as one HTML page to look at: nothing is loaded, and it needs no server.

It is made with the pieces of `costmodel.report.html`, whose style and scripts it carries:

shown.py     which designs the page has, each with its row in the table and what it is there for
stages.py    a design as a drawing of its stages, to scale
panel.py     all of one design: what a click shows
data.py      the designs as data, of which designs.js makes the panel
asked.py     what was asked, and the answer in a few figures
best.py      the best design
axes.py      where designs are in a plot of capacity over latency
fronts.py    capacity over predicted latency, a plot for each platform
history.py   the best so far over the designs priced; rounds of refining
widths.py    the widths of Table 5 beside the fronts
designs.py   the table of all designs of the page
whole.py     sections in their order
"""

from search.page.whole import render

__all__ = ["render"]
