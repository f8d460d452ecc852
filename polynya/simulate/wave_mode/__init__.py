"""Simulated Sentinel-1 wave-mode imagettes: ten phenomena, alone and together, with their true tags."""
