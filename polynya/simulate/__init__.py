"""Simulators: one file per product, writing the agency's own format with known truth beside it."""
