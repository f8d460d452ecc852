"""``python -m polynya`` is the command line; so is this file for ``spark-submit``, which takes a path."""

import sys
from pathlib import Path

if not __package__:  # run by its path: the folder of the package is no place to import from
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from polynya.cli import main

main()
