"""Reports: tables and products to self-contained HTML."""
