"""Tests of the Sentinel-1 simulator."""
