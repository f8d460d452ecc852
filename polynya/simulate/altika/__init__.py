"""Simulated SARAL/AltiKa echoes over sea ice with leads: SGDR files with known truth."""
