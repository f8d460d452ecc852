"""Workflows: one file each, a Config and a run()."""
