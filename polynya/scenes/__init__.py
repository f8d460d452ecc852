"""Scenes before and after a network: opening and alignment, quality, registration, clouds, classes and tiling."""
