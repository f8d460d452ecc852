"""``python -m polynya`` is the command line."""

from .cli import main

main()
