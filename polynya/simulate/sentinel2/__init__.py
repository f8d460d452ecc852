"""Simulated Sentinel-2 scenes of the ice map: grid, sky, product files and metadata."""
