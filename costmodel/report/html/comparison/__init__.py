"""The sections of the page of two networks beside each other, which costmodel/report/compare_html.py puts together.

compared.py    what all sections are made from: the rows of the table of layers, and what selects them
overview.py    counts and latencies before and after, with the interval of their difference
bars.py        where the time goes, before and after
strips.py      the layers of both in the order of execution, the same ones tied together
layers.py      the table of the layers that differ
"""
