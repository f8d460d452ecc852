"""Glaciers as polygons: outlines and divides, their attributes and areas, intervals, and agreement with references."""
