"""Tags of imagettes against a reference."""
