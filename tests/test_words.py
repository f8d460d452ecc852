"""Words that readers of the help and the pages stumble over: idioms of the house instead of the terms of the field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from polynya import cli

ROOT = Path(__file__).resolve().parent.parent
IDIOMS = {
    r"kept back|held back|crosswise": "held out, out-of-fold, cross-fitting",
    r"mend(s|ed|ing)?": "fix, correct",
    r"refus(e|es|ed|al|ing)": "reject",
    r"told": "given, label, metadata",
    r"judg(e|es|ed|ing)": "score, evaluate",
    r"turns(?! open satellite data)": "rotated and mirrored predictions, --tta",
    r"at hand": "available",
    r"out of register": "misregistered",
    r"(a|each) shot": "per shot",
    r"goes on": "resumes, continues",
    r"can be had": "could be determined",
}
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]


def commands(command: click.Command, name: str = "polynya") -> Iterator[tuple[str, click.Command]]:
    """Give every command with its whole name, groups included."""
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {word}")


COMMANDS = dict(commands(typer.main.get_command(cli.app)))


def idioms(text: str) -> list[str]:
    """Return a line for each idiom: the words around it, and what to write."""
    return [
        f"...{text[max(0, hit.start() - 30) : hit.end() + 30]!r}: write {plain}"
        for idiom, plain in IDIOMS.items()
        for hit in re.finditer(rf"\b({idiom})\b", text, re.IGNORECASE)
    ]


def test_the_walk_finds_commands_in_groups():
    assert {"polynya freeboard", "polynya simulate", "polynya simulate pair"} <= set(COMMANDS)


@pytest.mark.parametrize("sentence", ["The file is refused.", "a mended label", "as told", "three photons a shot"])
def test_an_idiom_is_found(sentence):
    assert len(idioms(sentence)) == 1


def test_the_sentence_of_the_project_is_no_idiom():
    assert idioms("polynya turns open satellite data into maps of ice, per shot") == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_the_words_of_the_field(name):
    command = COMMANDS[name]
    text = command.get_help(click.Context(command, info_name=name, max_content_width=10_000))
    assert idioms(" ".join(text.split())) == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_says_what_it_is(name):
    silent = [p.name for p in COMMANDS[name].params if not getattr(p, "help", None)]
    assert silent == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_the_words_of_the_field(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert idioms(" ".join(text.split())) == []
