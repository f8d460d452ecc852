"""Simulated CryoSat-2 echoes of SAR mode over sea ice with leads: L1b files with known truth."""
