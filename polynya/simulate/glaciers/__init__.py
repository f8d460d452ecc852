"""Simulated glacier scenes: terrain, ice, ground, light and radar, and the files with their truth."""
