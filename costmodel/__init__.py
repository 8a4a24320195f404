"""The analytical cost model of convolutional networks."""
