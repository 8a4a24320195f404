"""An analysis as one HTML page to look at: nothing is loaded, and it needs no server.

`page.py` has the sections in their order; each is a module of its own that makes markup from `shown.py`, with
`markup.py` (escaping) and `plots.py` (SVG). `frame.py` is that of all pages, a comparison's and a search's too:
`page.css` and `base.js` go into every page, `analysis.js` into those with a table (`listing.py`).

A mark of a plot has a token (data-t), a row of the table the tokens of all its marks (data-s): so the script knows
which rows belong to a mark, and which marks to a row.
"""

from costmodel.report.html.page import render

__all__ = ["render"]
