"""Simulated ICESat-2 granules: the laser, photons, ground tracks, and the layout of ATL03."""
