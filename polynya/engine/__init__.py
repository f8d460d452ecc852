"""Engines: run one task over many granules (see ``protocol``)."""
