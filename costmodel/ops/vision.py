"""Detection: regions of interest, non-maximum suppression, images."""
