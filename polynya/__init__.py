"""polynya: open satellite data to maps of ice, with the uncertainty of every number.

Importing this package is cheap: it imports neither torch nor pyspark nor any reader.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
