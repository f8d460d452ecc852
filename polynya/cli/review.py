"""Labels corrected by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .root import Stopped, app, say


@app.command()
def review(
    labels: Annotated[
        list[Path],
        typer.Argument(
            metavar="LABELS|TAGS...",
            help="Label tables (.parquet) that polynya label wrote, or results of polynya tags, or folders of them.",
        ),
    ],
    who: Annotated[
        str, typer.Option(metavar="NAME", help="Written into every correction; your login name by default.")
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this computer; 0 takes a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the default browser.")
    ] = True,
) -> None:
    """Correct labels or tags by hand in a page on this computer, saved at once.

    Labels of tracks: scene and profile, stretch by stretch. Changes go to NAME.corrections.jsonl beside NAME.parquet,
    which stays as it is. Merge them with polynya label --corrections.

    Tags of imagettes: confirm, add and remove them, picture by picture. They go to the folder NAME.reviewed beside the
    result: tags.csv, the reviewed pictures, and a line for every change. polynya train and polynya evaluate read it.

    Ctrl-C ends it; nothing is lost, and the same command resumes.

    \b
    polynya review labels.parquet
    polynya review tags/quicklooks
    polynya review ross/ --who "A. Reviewer" --port 8765 --no-browser
    """
    import webbrowser

    from ..workflows import review as workflow

    def tell(started: workflow.Started) -> None:
        for name in started.torn:
            say(f"polynya: {name}: the last line is incomplete and is ignored; all lines before it are used")
        for path in started.corrections[:5]:
            print(f"corrections: {path}")
        if len(started.corrections) > 5:
            print(f"corrections: and {len(started.corrections) - 5} more, beside their labels")
        print(f"open {started.address}  (this computer only; Ctrl-C ends it)", flush=True)
        if browser:
            webbrowser.open(started.address)

    try:
        workflow.run(labels, who=who, port=port, on_start=tell)
    except (Stopped, KeyboardInterrupt):
        say("polynya: review ended. Every change is saved; the same command resumes.")
        raise SystemExit(130) from None
