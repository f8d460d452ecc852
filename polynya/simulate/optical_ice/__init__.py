"""Simulated optical images of sea ice with known classes: floes, leads, thin ice, melt ponds, land."""
