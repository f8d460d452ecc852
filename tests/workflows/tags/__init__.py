"""Tags of imagettes."""
