"""The contact sheet of the tags of imagettes: pictures with filters by tag and confidence, counts, what to know.

One page, nothing to fetch. Pictures are JPEG of about 130 pixels, as the network saw them.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import OutputError
from ..io.opening import GDAL_OPTIONS
from ..schema.imagette_tags import NOT_ASSESSED, QUALITY
from ..schema.imagettes import PHENOMENA, TAGS
from . import html
from .html import Markup, escape, number

__all__ = ["Page", "Shown", "thumbnail", "write"]

THUMBNAIL_PX = 130
JPEG_QUALITY = 72
MINUTE = len("2016-01-01T00:00")
NO_BEAM = "-"
QUALITY_WORDS = {
    "no_tag_reaches_its_threshold": "no tag reaches its threshold",
    "far_from_training_images": "unlike the images of the training",
    "beam_or_incidence_not_in_training": "beam or incidence angle not in training",
    "size_not_in_training": "size or pixels not in training",
    "near_land": "near land",
    "part_of_picture_missing": "part of the picture is missing",
    "no_calibration": "no calibration: level not known",
    "polarisation_not_in_training": "another polarisation than VV",
    "picture_not_readable": "the picture cannot be read",
    "pixel_size_not_known": "pixel size not known",
    "satellite_not_in_training": "satellite not in training",
    "beam_and_incidence_not_known": "beam and incidence angle not known",
    "place_not_known": "place not known",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One imagette on the page.

    Attributes
    ----------
    number : int
        In its source, from 0.
    name, time, satellite, beam : str
    place : (float, float)
        Latitude and longitude, degrees; NaN where not known.
    incidence : float
        Degrees, NaN where not known.
    probability : tuple of float
        Of the ten tags, NaN for those that the network does not know.
    tags, precise : tuple of int
        Places of the stated tags among the ten.
    confidence : float
        NaN where not assessed.
    quality : int
        Bits of :data:`polynya.schema.imagette_tags.QUALITY`.
    jpeg : bytes
    """

    number: int
    name: str
    time: str
    satellite: str
    beam: str
    place: tuple[float, float]
    incidence: float
    probability: tuple[float, ...]
    tags: tuple[int, ...]
    precise: tuple[int, ...]
    confidence: float
    quality: int
    jpeg: bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """What the page shows.

    Attributes
    ----------
    title : str
    facts : dict
        Product and network in words, in order.
    counts : dict of str to dict of str to int
        ``tags``, ``precise_tags``, ``quality``, ``tags_per_imagette``: imagettes by name.
    numbers : dict
        As run.json has them.
    shown : tuple of Shown
        All imagettes, or some of them.
    messages : tuple of str
    is_simulated : bool
    """

    title: str
    facts: Mapping[str, object]
    counts: Mapping[str, Mapping[str, int]]
    numbers: Mapping[str, float]
    shown: tuple[Shown, ...]
    messages: tuple[str, ...]
    is_simulated: bool = False


def thumbnail(grey: np.ndarray) -> bytes:
    """Return a small JPEG of a picture: means over squares of pixels.

    Parameters
    ----------
    grey : numpy.ndarray of uint8, shape (h, w)
        0 is black.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.io import MemoryFile

    step = max(1, round(max(grey.shape) / THUMBNAIL_PX))
    h, w = (n // step for n in grey.shape)
    small = grey[: h * step, : w * step].reshape(h, step, w, step).mean(axis=(1, 3))
    try:
        with rasterio.Env(**GDAL_OPTIONS), warnings.catch_warnings(), MemoryFile() as memory:
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            shape = {"height": h, "width": w, "count": 1, "dtype": "uint8"}
            with memory.open(driver="JPEG", quality=JPEG_QUALITY, **shape) as file:
                file.write(np.rint(small).astype(np.uint8), 1)
            return bytes(memory.read())
    except RasterioError as error:
        raise OutputError(
            f"report: a picture cannot be written as JPEG ({error}); expected GDAL with JPEG. Install rasterio anew."
        ) from error


def write(path: Path, page: Page) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
        The HTML file.
    page : Page
        What it shows.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    simulated = " (simulated)" if page.is_simulated else ""
    body = [
        Markup(f"<style>{html.resource('imagettes.css')}</style>"),
        f'<p class="brand">polynya tags</p><h1>{escape(page.title)}{simulated}</h1>',
        html.fact_list(page.facts.items()),
        _result(page),
        html.warnings(page.messages),
        _sheet(page),
        _counts(page),
        _words(),
    ]
    data = [("imagettes", "application/json", html.script_json(_data(page)))]
    text = html.page(title=f"{page.title}: tags{simulated}", body=body, scripts=["imagettes.js"], data=data)
    return html.write_text(path, text)


def _data(page: Page) -> dict[str, object]:
    return {
        "tags": [{"short": short, "name": name.replace("_", " ")} for short, name in PHENOMENA],
        "quality": {str(bit): QUALITY_WORDS[name] for bit, name in QUALITY.items()},
        "aside": NOT_ASSESSED,
        "items": [_item(s) for s in page.shown],
    }


def _item(s: Shown) -> dict[str, object]:
    lat, lon = s.place
    place = "" if not (np.isfinite(lat) and np.isfinite(lon)) else f"{_degrees(lat, 'NS')} {_degrees(lon, 'EW')}"
    seen = ", ".join(w for w in (s.satellite, s.beam, f"{s.incidence:.1f}°" if np.isfinite(s.incidence) else "") if w)
    return {
        "n": s.number,
        "name": s.name,
        "about": [w for w in (s.time, place, seen) if w],
        "beam": s.beam,
        "time": s.time,
        "p": [round(float(v), 3) for v in s.probability],
        "tags": list(s.tags),
        "precise": list(s.precise),
        "c": round(float(s.confidence), 3),
        "q": s.quality,
        "jpeg": base64.b64encode(s.jpeg).decode(),
    }


def _degrees(value: float, ends: str) -> str:
    return f"{abs(value):.2f}°{ends[0] if value >= 0 else ends[1]}"


def _result(page: Page) -> Markup:
    n = page.numbers
    assessed = n["n_imagettes"] - n["n_not_assessed"]
    best = max(TAGS, key=lambda t: page.counts["tags"][t])
    most = f"; most often {escape(best.replace('_', ' '))} ({number(page.counts['tags'][best], 0)})"
    aside = f" {number(n['n_not_assessed'], 0)} were not assessed." if n["n_not_assessed"] else ""
    return Markup(
        f'<section id="result"><p class="result"><strong>{number(n["n_tagged"], 0)}</strong> of {number(assessed, 0)}'
        f" assessed imagettes have a tag{most if n['n_tagged'] else ''}.{aside}</p></section>"
    )


def _sheet(page: Page) -> Markup:
    shown, n = len(page.shown), int(page.numbers["n_imagettes"])
    note = (
        "All imagettes."
        if shown == n
        else (
            f"{shown:,} of {n:,} imagettes, chosen at random within each tag so that rare tags are there; counts above"
            " the pictures are of those shown. All are in tags.parquet."
        )
    )
    tags = "".join(
        f'<button type="button" data-tag="{k}" aria-pressed="false" title="{escape(name.replace("_", " "))}">'
        f"{escape(name.replace('_', ' '))} <small></small></button>"
        for k, (_, name) in enumerate(PHENOMENA)
    )
    more = "".join(
        f'<button type="button" data-tag="{key}" aria-pressed="false">{words} <small></small></button>'
        for key, words in (("none", "no tag"), ("aside", "not assessed"))
    )
    return Markup(
        f'<section id="sheet"><h2>Imagettes</h2><p class="note">{note} Lines along the flight, stretched as the network'
        " saw them.</p>"
        f'<div class="tools" role="toolbar" aria-label="filters"><div class="group" id="tags">{tags}{more}</div>'
        '<div class="group"><label>with <select id="mode"><option value="any">any</option><option value="all">all'
        "</option></select> of them</label>"
        '<label>confidence from <input id="low" type="number" min="0" max="1" step="0.05" value="0"> to <input'
        ' id="high" type="number" min="0" max="1" step="0.05" value="1"></label>'
        '<label><input id="precise" type="checkbox"> precise tags only</label>'
        f"{_where_and_when(page.shown)}"
        '<label>order <select id="order"><option value="number">as taken</option><option value="sure">surest first'
        '</option><option value="unsure">least sure first</option></select></label>'
        '<button type="button" id="reset">Reset</button></div></div>'
        '<p class="note" id="shown" role="status" aria-live="polite"></p><div id="grid"></div>'
        '<p><button type="button" id="more" hidden>Show more</button></p>'
        '<p class="note">Keys: <kbd>Tab</kbd> to the pictures, arrows between them, <kbd>Enter</kbd> for details,'
        " <kbd>Esc</kbd> back.</p></section>"
        '<dialog id="detail" aria-labelledby="detail-name"><div class="detail"><img id="detail-picture" alt=""><div>'
        '<h3 id="detail-name"></h3><p class="note" id="detail-about"></p><div id="detail-tags"></div></div></div>'
        '<div class="group"><button type="button" id="before">◀ previous</button>'
        '<button type="button" id="after">next ▶</button><button type="button" id="close">Close</button></div></dialog>'
        "<noscript><p>The pictures need JavaScript; the counts below do not.</p></noscript>"
    )


def _where_and_when(shown: tuple[Shown, ...]) -> str:
    """Return filters by beam and by time, where the pictures differ in them."""
    beams, times = sorted({s.beam for s in shown}), sorted({s.time[:MINUTE] for s in shown if s.time})
    out = ""
    if len(beams) > 1:
        options = "".join(f'<option value="{escape(b or NO_BEAM)}">{escape(b or "not known")}</option>' for b in beams)
        out += f'<label>beam <select id="beam"><option value="">any</option>{options}</select></label>'
    if len(times) > 1:
        ends = f'type="datetime-local" min="{times[0]}" max="{times[-1]}"'
        out += f'<label>UTC from <input id="from" {ends}></label><label>to <input id="to" {ends}></label>'
    return out


def _counts(page: Page) -> Markup:
    n = page.numbers
    assessed = n["n_imagettes"] - n["n_not_assessed"]
    rows = [
        (
            t.replace("_", " "),
            number(page.counts["tags"][t], 0),
            html.percent(page.counts["tags"][t], assessed),
            number(page.counts["precise_tags"][t], 0),
        )
        for t in TAGS
    ]
    parts = [html.table(("tag", "imagettes", "share of assessed", "precise"), rows, identifier="counts")]
    together = page.counts["tags_per_imagette"].items()
    for title, found in (
        ("Tags per assessed imagette", [(k, number(v, 0), html.percent(v, assessed)) for k, v in together]),
        (
            "What limits the answers",
            [
                (QUALITY_WORDS[k], number(v, 0), html.percent(v, n["n_imagettes"]))
                for k, v in page.counts["quality"].items()
            ],
        ),
    ):
        if found:
            parts.append(Markup(f"<div><h3>{title}</h3>{html.table(('', 'imagettes', 'share'), found)}</div>"))
    return Markup(
        f'<section><h2>Counts</h2><div class="figures"><div>{parts[0]}</div><div>{"".join(parts[1:])}</div></div>'
        "</section>"
    )


def _words() -> Markup:
    return Markup(
        "<section><h2>What the numbers are</h2><p class=note>A tag is stated where its calibrated probability reaches"
        " the threshold with the best F1 on the calibration part of the training; a precise tag reaches the threshold"
        " with the wanted precision there. The confidence is the largest probability of the stated tags; without a tag"
        " it is the probability that none of the ten is there. Imagettes that are not assessed have neither. Rows and"
        " columns: docs/tags.</p></section>"
    )
