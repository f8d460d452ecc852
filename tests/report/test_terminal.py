"""The one progress bar: silent where nothing is to be shown, lines where stderr is no terminal."""

from __future__ import annotations

import io

import pytest
import rich.console

from polynya.engine.protocol import Record
from polynya.report import terminal


@pytest.fixture
def screen(monkeypatch):
    """Let the bar draw into text, as on a terminal of 100 columns, or as into a file."""

    def of(*, is_terminal: bool) -> io.StringIO:
        text = io.StringIO()
        real = rich.console.Console
        monkeypatch.setattr(rich.console, "Console", lambda **_: real(file=text, force_terminal=is_terminal, width=100))
        return text

    return of


def test_nothing_is_shown_where_nothing_is_wanted(capsys):
    with terminal.progress(3, show=False) as bar:
        bar.advance()
        bar.move(2.0, text="two")
        bar.line("a line")
    assert capsys.readouterr() == ("", "")


def test_lines_go_to_a_stderr_that_is_no_terminal(capsys):
    with terminal.progress(2, show=True) as bar:
        bar.advance(text="a scene")
        bar.line("1/2 a scene: done [1.5 km2] " + "long " * 40)
    out, errors = capsys.readouterr()
    assert out == "" and errors == "1/2 a scene: done [1.5 km2] " + "long " * 40 + "\n"


def test_the_bar_moves_on_a_terminal(screen):
    text = screen(is_terminal=True)
    with terminal.progress(4, show=True, text="first") as bar:
        bar.advance(text="second")
        bar.move(3.0)
        assert bar._bar.tasks[0].completed == 3.0 and bar._bar.tasks[0].description == "second"
    assert "75%" in text.getvalue() and "second" in text.getvalue()


def test_no_bar_is_drawn_into_a_file(screen):
    text = screen(is_terminal=False)
    with terminal.progress(4, show=True) as bar:
        bar.advance(4.0)
    assert text.getvalue() == ""


def record(**numbers: float) -> Record:
    counts = {"n_segments": 1000, "n_leads_used": 1, "share_with_freeboard": 0.5, "mean_freeboard": 0.26}
    return Record(
        item="a/b.h5", status="done", message="One.\nTwo.", outputs={"run": "b/run.json"}, numbers=counts | numbers
    )


def test_one_line_per_message():
    lines = terminal.granule_text(record()).splitlines()
    assert (
        lines[0] == "b.h5: 1,000 segments, 1 lead used, mean total freeboard 0.260 m over 50 % of the segments (0.0 s)"
    )
    assert lines[1:] == ["  - One.", "  - Two.", "  b/run.json"]


def test_a_mean_with_its_uncertainty():
    found = terminal.granule_text(record(mean_freeboard_uncertainty=0.0214, mean_freeboard_uncertainty_correlated=0.02))
    assert "mean total freeboard 0.260 ± 0.021 m (correlated part 0.020 m) over" in found
