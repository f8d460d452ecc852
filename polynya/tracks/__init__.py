"""Ground tracks before and after a network: 2 m segments of a beam, their features, and matching with scenes."""
