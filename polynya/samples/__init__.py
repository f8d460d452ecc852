"""Products to samples: collocation, windows, tiles, labels."""
