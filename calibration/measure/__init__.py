"""Latencies of networks on this machine, measured: `costmodel measure`.

visits.py has the statistics, timing.py decides what runs next, campaign.py does it, store.py keeps it on disk, a
backend (onnxruntime.py) makes networks ready to run, machine.py says where it happened.
"""
