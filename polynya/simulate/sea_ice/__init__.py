"""A simulated sea-ice cover: ranges and seasons, profiles along a track, the map, and the map seen from above."""
