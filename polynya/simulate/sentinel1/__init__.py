"""Sentinel-1 EW scenes over sea ice: the scene at 400 m, and a SAFE product with pixels, both with known truth."""
