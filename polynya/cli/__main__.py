"""``python -m polynya.cli`` is the command line."""

from . import main

main()
