"""The programs of the command line, and how an error ends them."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import PolynyaError, UsageError, one_line, unreadable

app = typer.Typer(
    name="polynya",
    help="Open satellite data to maps of ice, with the uncertainty of every number.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
simulate_app = typer.Typer(
    help="Simulate a granule or a scene in the agency's format, and write the truth beside it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(simulate_app, name="simulate")

FINISHED_WITH_FAILURES = 3
OBJECTS_AT_ONCE = 20_000
"""New objects after which Python looks for cycles: at its usual 700 it does so hundreds of times while it imports."""

RENAMED_OPTIONS = {
    "glaciers": {
        "--turns": "--tta",
        "--draws": "--mc-dropout N",
        "--keep-flagged": "--use-misregistered",
    },
    "train": {
        "--also": "--train-only PATH",
        "--kept-back": "--cross-fit NETWORK=TILES",
    },
}
"""Options of earlier releases: for each command the old option, and how the new one is written."""


def main() -> None:
    """Run the command line; every error is one line on stderr and an exit code."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _stop)
    gc.set_threshold(OBJECTS_AT_ONCE)
    sys.unraisablehook = _told_already
    try:
        check_renamed(sys.argv[1:])
        app()
    except PolynyaError as error:
        say(f"polynya: {one_line(error)}")
        raise SystemExit(error.exit_code) from None
    except (Stopped, KeyboardInterrupt):
        say("polynya: stopped. Incomplete results do not count; the same command does what is missing.")
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except MemoryError:
        say("polynya: not enough memory; expected enough for one beam. Use fewer --workers, or a --bbox.")
        raise SystemExit(1) from None
    except OSError as error:
        say(f"polynya: {one_line(error)}. Check the path, its permissions and the free space.")
        raise SystemExit(1) from None
    except Exception as error:
        if os.environ.get("POLYNYA_DEBUG"):
            raise
        shown = unreadable(error)
        if shown is not None:
            say(f"polynya: {one_line(shown)}")
            raise SystemExit(shown.exit_code) from None
        say(
            f"polynya: unexpected error ({one_line(error)}). Please report it; POLYNYA_DEBUG=1 shows where it happened."
        )
        raise SystemExit(1) from None


def check_renamed(words: list[str]) -> None:
    """Check a command line for options of earlier releases.

    Parameters
    ----------
    words : list of str
        The command, its arguments and options.

    Raises
    ------
    UsageError
        If an option of :data:`RENAMED_OPTIONS` is given; the message names the new one.
    """
    renamed = RENAMED_OPTIONS.get(words[0], {}) if words else {}
    for word in words[1:]:
        if word == "--":
            return
        old = word.partition("=")[0]
        if old in renamed:
            new = renamed[old]
            raise UsageError(
                f"{old}: is an option of an earlier release; expected its new name {new.split()[0]}. Write {new}."
            )


class Stopped(BaseException):
    """Ctrl-C or a scheduler's SIGTERM: passes every handler of ordinary errors."""


def _stop(*_: object) -> None:
    raise Stopped


def _told_already(more: sys.UnraisableHookArgs) -> None:
    """Say nothing of what fails where nobody can catch it: libraries fail again while they close a damaged file, or log
    what is wrong with it, and print a traceback beside the line that says what the error was."""
    if os.environ.get("POLYNYA_DEBUG"):
        sys.__unraisablehook__(more)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"polynya {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass
