"""Hook of the documentation site (mkdocs): pages whose text lies elsewhere in the project.

CHANGELOG, CONTRIBUTING and the model cards are pages of the site without being copied into docs/; the API pages are
made from the list of rooms below, so that a new module appears there without an edit.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
CARDS = ROOT / "polynya" / "weights"
"""Pages of the API: title, one sentence, and the modules or folders of the package that the page shows."""
ROOMS = {
    "workflows": ("Workflows", "One entry per command: a `Config` and `run()`.", ["workflows"]),
    "data": (
        "Tables, rasters, records",
        "Reading, writing, and the vocabulary of every variable.",
        ["io", "schema", "sensors", "errors"],
    ),
    "readers": ("Readers", "One file per product, named as the product.", ["readers"]),
    "physics": ("Physics", "numpy in, numpy out: one topic per file, with its source.", ["physics"]),
    "simulate": ("Simulators", "The agency's own formats with known truth beside them.", ["simulate"]),
    "subjects": (
        "Tracks, scenes, glaciers, labels",
        "What is done with products before and after a network.",
        ["tracks", "scenes", "glaciers", "labels"],
    ),
    "networks": (
        "Networks",
        "Samples, architectures, families, targets, and the description that ties them together.",
        ["description", "families", "targets", "models", "samples", "recipes"],
    ),
    "training": (
        "Training",
        "The training loop, losses, calibration, checkpoints, export.",
        ["train", "losses", "metrics", "calibrate", "checkpoint", "export"],
    ),
    "predict": ("Prediction", "Exported networks, without torch.", ["predict"]),
    "evaluate": (
        "Evaluation and reports",
        "Results against a reference; self-contained pages.",
        ["evaluate", "report"],
    ),
    "engine": ("Engines", "One task over many granules.", ["engine"]),
}


def modules(room: str) -> list[str]:
    """Return the public modules of a room, the room itself first, as dotted names."""
    folder = ROOT / "polynya" / room
    if not folder.is_dir():
        return [f"polynya.{room}"] if folder.with_suffix(".py").exists() else []
    found = [path.relative_to(ROOT).with_suffix("") for path in sorted(folder.rglob("*.py"))]
    names = [".".join(path.parts).removesuffix(".__init__") for path in found]
    return sorted(name for name in names if not any(part.startswith("_") for part in name.split(".")))


def api_page(title: str, sentence: str, rooms: list[str]) -> str:
    """Return the text of one API page: a heading per module, its members from the docstrings."""
    blocks = [f"# {title}\n\n{sentence}"]
    blocks += [f"::: {name}" for room in rooms for name in modules(room)]
    return "\n\n".join(blocks) + "\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that docs/ does not hold."""
    pages = {place: (ROOT / name).read_text(encoding="utf-8") for place, name in ELSEWHERE.items()}
    pages |= {f"cards/{card.name}": card.read_text(encoding="utf-8") for card in sorted(CARDS.glob("*.md"))}
    pages |= {f"api/{name}.md": api_page(*room) for name, room in ROOMS.items()}
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a file to where its target lies on the site."""
    if page.file.src_uri in ELSEWHERE:
        markdown = markdown.replace("](docs/", "](")
    up = "../" * page.file.src_uri.count("/")
    for place, name in ELSEWHERE.items():
        markdown = markdown.replace(f"](../{up}{name}", f"]({up}{place}")
    for room in ROOMS:
        markdown = markdown.replace(f"](../{up}polynya/{room})", f"]({up}api/{room}.md)")
    return re.sub(r"\]\((\.\./)+polynya/weights/", f"]({up}cards/", markdown)
