"""Leads along tracks of echoes against labels, the truth of a simulation, or another rule's classes."""
