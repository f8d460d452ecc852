"""Readers: one file per product, named as the product."""
