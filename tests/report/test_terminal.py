"""The one progress bar: silent where nothing is to be shown, lines where stderr is no terminal."""

from __future__ import annotations

import io

import pytest
import rich.console

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
