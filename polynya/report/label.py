"""The picture of a shift: score surface, track over the scene, and close-ups before and after. One page, nothing to
fetch."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from .. import schema
from ..labels import transfer
from ..physics.drift import Shift
from ..readers import sentinel2
from . import html, polar_map
from .review_picture import png

COLOURS = {0: "#8fb8d8", 1: "#e69f00", 2: "#08306b", 3: "#8fb8d8", -1: "#c2185b"}
"""Classes as in report.css; what carries no label stands out."""
WORDS = {0: "thick ice", 1: "thin ice", 2: "open water", -1: "no label"}
CLOSE_M = 1200.0
"""Side of a close-up, metres."""
CLOSE_UPS = 4
SURFACE_PX, SCENE_PX, CLOSE_PX = 420, 640, 270
TRACK_POINTS = 1500
"""Points per beam over the whole scene."""


def write(
    path: Path,
    *,
    table: pa.Table,
    darkness: np.ndarray,
    about: dict[str, object],
    shift: Shift | None,
    scene: sentinel2.Scene,
    notes: Sequence[str] = (),
) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
        The page.
    table : pyarrow.Table
        Of ``schema.LABELS``.
    darkness : numpy.ndarray, shape (n,)
        What the track itself expects of the image: 0 snow to 1 water.
    about : dict
        Its metadata.
    shift : Shift or None
        With the score surface; None where the shift was given.
    scene : sentinel2.Scene
        What the labels come from.
    notes : sequence of str
        Printed below the result.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    columns = {n: schema.to_numpy(table[n]) for n in ("easting", "northing", "label", "label_flag", "image_value")}
    columns["darkness"] = darkness
    beam = np.array(table["beam"].cast(pa.string()).to_pylist())
    east, north = float(about["shift_east_m"]), float(about["shift_north_m"])
    title = f"Shift of {about['granule']}"
    body = [
        f'<p class="brand">polynya label</p><h1>{html.escape(title)}</h1>',
        (
            f"<p>and {html.escape(about['scene_id'])}, taken {html.number(abs(float(about['minutes'])), 1)} min"
            f" {'after' if float(about['minutes']) >= 0 else 'before'}"
            f" it{'. Simulated.' if about.get('is_simulated') else '.'}</p>"
        ),
        f'<p class="result">{html.escape(sentence(about))}</p>',
        "".join(f"<p>{html.escape(n)}</p>" for n in notes),
        _swatches(),
    ]
    surface = f"<div><h2>Agreement for every shift</h2>{_surface(shift)}</div>" if shift is not None else ""
    body.append(
        f'<div class="figures">{surface}<div><h2>The track over the'
        f" scene</h2>{_overview(scene, columns, beam)}</div></div>"
    )
    close = _close_ups(scene, columns, east, north)
    if close:
        body.append(
            "<h2>Close-ups</h2><p>Each place twice: the image with the track where the granule has it (left), and after"
            " the shift (right). Colours are what the "
            "<em>track itself</em> sees, not the labels: blue snow, orange thin ice or water. The shift is right where"
            " orange lies on the leads.</p>"
            '<div style="display:grid;grid-template-columns:repeat(4,1fr);gap:10px;'
            f'max-width:{4 * CLOSE_PX + 30}px">{close}</div>'
        )
    counts = about["label_counts"]
    flags = about["flag_counts"]
    body.append("<h2>Labels</h2>")
    n = table.num_rows
    body.append(
        html.table(
            ("label", "segments", "share"),
            [(k.replace("_", " "), f"{v:,}", html.percent(v, n)) for k, v in counts.items() if v],
        )
    )
    body.append(
        html.table(
            ("why none", "segments", "share"),
            [(k.replace("_", " "), f"{v:,}", html.percent(v, n)) for k, v in flags.items() if v and k != "labelled"],
        )
    )
    return html.write_text(path, html.page(title=title, body=body))


def sentence(about: dict[str, object]) -> str:
    """Return the shift in words: size, error, whether it is certain, and where it comes from."""
    east, north = float(about["shift_east_m"]), float(about["shift_north_m"])
    where = (
        f"{abs(east):.0f} m {'east' if east >= 0 else 'west'} and {abs(north):.0f} m"
        f" {'north' if north >= 0 else 'south'}"
    )
    if about["shift_source"] == "command":
        return f"The track was moved {where}, as given with --shift."
    if about["shift_source"] == "person":
        return f"The track was moved {where}, as a person set it in review."
    errors = [about["shift_east_error_m"], about["shift_north_error_m"]]
    spread = (
        "" if None in errors else f" (standard error {float(errors[0]):.0f} m east, {float(errors[1]):.0f} m north)"
    )
    return (
        f"{'The track was moved' if about['is_shift_sure'] else 'Uncertain: the best agreement lies at'}"
        f" {where}{spread}; confidence {float(about['shift_confidence']):.2f}."
    )


def text(record: object) -> str:
    """Return the terminal's text for a finished pair: labels, shift, and what was written."""
    n = record.numbers
    if record.status == "skipped" or not n:
        return "\n  ".join([f"{Path(record.item).name}: {record.message}", *record.outputs.values()])
    shares = ", ".join(
        f"{int(n.get(f'n_{name}', 0)):,} {name.replace('_', ' ')}"
        for _, name in schema.LABEL_CLASSES[:4]
        if n.get(f"n_{name}")
    )
    lines = [
        f"{Path(record.item).name}: {int(n['n_labelled']):,} of {int(n['n_segments']):,} segments labelled"
        f" ({shares or 'none'}) ({record.seconds:.1f} s)"
    ]
    if "shift_east_m" in n:
        quality = f"{'certain' if n['is_shift_sure'] else 'UNCERTAIN'} (confidence {n['shift_confidence']:.2f})"
        quality = "set by hand, not checked" if n.get("is_shift_given") else quality
        lines.append(
            f"shift {n['shift_east_m']:+.0f} m east, {n['shift_north_m']:+.0f} m north, {quality}; scene"
            f" {abs(n['minutes']):.1f} min {'after' if n['minutes'] >= 0 else 'before'} the granule"
        )
    why = ", ".join(
        f"{int(n[f'flag_{name}']):,} {name.replace('_', ' ')}"
        for _, name in schema.LABEL_FLAGS
        if n.get(f"flag_{name}")
    )
    if why:
        lines.append(f"without a label: {why}")
    if n.get("n_corrections"):
        lines.append(f"{schema.counted(int(n['n_corrections']), 'correction')} merged")
    lines += [f"- {line}" for line in record.message.splitlines()]
    return "\n  ".join([*lines, *record.outputs.values()])


def _swatches() -> str:
    return (
        '<p class="swatches">'
        + "".join(
            f'<span><span class="sw" style="background:{COLOURS[k]}"></span>{WORDS[k]}</span>'
            for k in WORDS
            if k != schema.ANY_ICE
        )
        + "</p>"
    )


def _image(rgb: np.ndarray, *, width: float, height: float) -> str:
    data = base64.b64encode(png(np.maximum(rgb, 1))).decode()
    return (
        f'<image href="data:image/png;base64,{data}" width="{width:.1f}" height="{height:.1f}"'
        ' preserveAspectRatio="none" style="image-rendering:pixelated"/>'
        # white ice on a white page has no edge
        + f'<rect x="0.5" y="0.5" width="{width - 1:.1f}" height="{height - 1:.1f}" fill="none" stroke="#9aa7b5"/>'
    )


def _colours(values: np.ndarray) -> np.ndarray:
    """Viridis of values between their least and largest; grey where NaN."""
    table = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in polar_map.VIRIDIS], np.float64)
    good = np.isfinite(values)
    low, high = (float(values[good].min()), float(values[good].max())) if good.any() else (0.0, 1.0)
    at = np.where(good, (values - low) / max(high - low, 1e-9), 0.0) * (len(table) - 1)
    k = np.minimum(at.astype(int), len(table) - 2)
    rgb = table[k] + (table[k + 1] - table[k]) * (at - k)[..., None]
    return np.where(good[..., None], rgb, 200.0).round().astype(np.uint8)


def _signed(metres: float) -> str:
    return f"{metres:+.0f}".replace("-", "\u2212") if metres else "0"


def _surface(shift: Shift) -> str:
    reach = float(shift.offsets[-1])
    half = 0.5 * float(shift.offsets[1] - shift.offsets[0])
    scale = SURFACE_PX / (2 * (reach + half))
    left, top = 62, 10

    def at(east: float, north: float) -> tuple[float, float]:
        return left + (east + reach + half) * scale, top + (reach + half - north) * scale

    parts = [
        f'<g transform="translate({left}'
        f' {top})">{_image(_colours(shift.surface[::-1]), width=SURFACE_PX, height=SURFACE_PX)}</g>'
    ]
    ticks = np.linspace(-reach, reach, 5)
    for t in ticks:
        x, _ = at(t, 0)
        _, y = at(0, t)
        bottom = top + SURFACE_PX
        parts.append(
            f'<path class="axis" d="M{x:.1f} {bottom}v5M{left} {y:.1f}h-5"/><text x="{x:.1f}" y="{bottom + 18}"'
            f' text-anchor="middle">{_signed(t)}</text><text x="{left - 8}" y="{y + 4:.1f}"'
            f' text-anchor="end">{_signed(t)}</text>'
        )
    parts.append(
        f'<text x="{left + SURFACE_PX / 2:.0f}" y="{top + SURFACE_PX + 36}" text-anchor="middle">east, m</text>'
    )
    parts.append(
        f'<text transform="translate(14 {top + SURFACE_PX / 2:.0f}) rotate(-90)" text-anchor="middle">north, m</text>'
    )
    if np.isfinite(shift.peak):
        x, y = at(shift.east, shift.north)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="none" stroke="#fff" stroke-width="3"/><circle cx="{x:.1f}"'
            f' cy="{y:.1f}" r="10" fill="none" stroke="#c2185b" stroke-width="1.6"/>'
        )
        if np.isfinite(shift.east_error):
            a, b = min(shift.east_error, reach) * scale, min(shift.north_error, reach) * scale
            parts.append(
                f'<path d="M{x - a:.1f} {y:.1f}h{2 * a:.1f}M{x:.1f} {y - b:.1f}v{2 * b:.1f}" stroke="#c2185b"'
                ' stroke-width="1.4" clip-path="url(#surface)"/>'
            )
    caption = (
        f"Correlation of the darkness that the track expects with the image, {shift.n:,} samples of 10 m. Highest"
        f" {html.number(shift.peak)}, second highest peak {html.number(shift.second)}, {html.number(shift.gap, 1)}"
        " standard deviations apart. Cross: one standard error. A long bright ridge means that the shift along it is"
        " undetermined."
    )
    wide, high = left + SURFACE_PX + 24, top + SURFACE_PX + 46
    clip = f'<clipPath id="surface"><rect x="{left}" y="{top}" width="{SURFACE_PX}" height="{SURFACE_PX}"/></clipPath>'
    return (
        f'<figure style="max-width:{wide}px"><svg viewBox="0 0 {wide} {high}" role="img" aria-label="score'
        f' surface"><defs>{clip}</defs>{"".join(parts)}</svg><figcaption>{caption}</figcaption></figure>'
    )


def _marks(
    x: np.ndarray, y: np.ndarray, label: np.ndarray, *, size: float, order: Sequence[int] = (0, -1, 1, 2)
) -> str:
    """Dots coloured by label, the rare ones on top; one path a colour."""
    out = []
    for k in order:
        mine = (label == k) | ((label == schema.ANY_ICE) & (k == 0))
        if mine.any():
            d = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x[mine], y[mine], strict=True))
            out.append(
                f'<path d="{d}" fill="none" stroke="{COLOURS[k]}" stroke-width="{size}" stroke-linecap="round"/>'
            )
    return "".join(out)


def _overview(scene: sentinel2.Scene, columns: dict[str, np.ndarray], beam: np.ndarray) -> str:
    most = max(scene.geobox.shape)  # halved as often as needed: JPEG 2000 holds these sizes, any other is slow to make
    while most > 2 * SCENE_PX:
        most = -(-most // 2)
    rgb, grid = sentinel2.overview(scene, most=most)
    h, w = rgb.shape[:2]
    scale = SCENE_PX / max(h, w)
    parts = [_image(rgb, width=w * scale, height=h * scale)]
    for name in np.unique(beam):
        rows = np.flatnonzero((beam == name) & np.isfinite(columns["easting"]))
        step = max(rows.size // TRACK_POINTS, 1)
        # Of every few segments the rarest label is shown, or leads of 20 m would not be seen at all.
        padded = (
            columns["label"][rows][: rows.size // step * step].reshape(-1, step)
            if rows.size >= step
            else np.empty((0, 1), np.int8)
        )
        rows = rows[: padded.shape[0] * step : step]
        y, x = transfer.pixels(grid, easting=columns["easting"][rows], northing=columns["northing"][rows])
        inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
        parts.append(
            _marks(
                x[inside] * scale,
                y[inside] * scale,
                padded.max(axis=1)[inside] if padded.size else padded[:, 0],
                size=2.2,
            )
        )
    return (
        f'<figure style="max-width:{w * scale:.0f}px"><svg viewBox="0 0 {w * scale:.1f} {h * scale:.1f}" role="img"'
        f' aria-label="track over the scene">{"".join(parts)}</svg></figure>'
    )


def _close_ups(scene: sentinel2.Scene, columns: dict[str, np.ndarray], east: float, north: float) -> str:
    pixel = abs(scene.geobox.affine.a)
    row, column = transfer.pixels(scene.geobox, easting=columns["easting"], northing=columns["northing"])
    half = CLOSE_M / 2 / pixel
    h, w = scene.geobox.shape
    places = _interesting(columns, row, column, half=half, shape=(h, w))
    out = []
    for r, c in places:
        r0, c0 = int(r - half), int(c - half)
        size = int(2 * half)
        rgb = sentinel2.true_colour(scene, window=((r0, r0 + size), (c0, c0 + size)))
        picture = _image(rgb, width=CLOSE_PX, height=CLOSE_PX)
        scale = CLOSE_PX / size
        for moved, word in ((-1.0, "as in the granule"), (0.0, "after the shift")):
            x, y = (column + moved * east / pixel - c0) * scale, (row - moved * north / pixel - r0) * scale
            inside = (x >= 0) & (x <= CLOSE_PX) & (y >= 0) & (y <= CLOSE_PX)
            parts = [picture]
            parts.append(_marks(x[inside], y[inside], np.where(columns["darkness"][inside] > 0.4, 1, 0), size=3.0))
            out.append(
                f'<figure><svg viewBox="0 0 {CLOSE_PX} {CLOSE_PX}" role="img" aria-label="close-up'
                f' {word}">{"".join(parts)}</svg><figcaption>{word}</figcaption></figure>'
            )
    return "".join(out)


def _interesting(
    columns: dict[str, np.ndarray], row: np.ndarray, column: np.ndarray, *, half: float, shape: tuple[int, int]
) -> list[tuple[float, float]]:
    """Places with most change of V under the track, apart from each other, whole inside the scene."""
    inside = np.flatnonzero((row > half) & (row < shape[0] - half) & (column > half) & (column < shape[1] - half))
    if inside.size < 100:
        return []
    change = np.abs(
        np.diff(columns["image_value"][inside].astype(np.float64), prepend=columns["image_value"][inside[0]])
    )
    cells = np.stack([row[inside] // (2 * half), column[inside] // (2 * half)], axis=1).astype(np.int64)
    _, which = np.unique(cells, axis=0, return_inverse=True)
    which = which.ravel()
    total = np.bincount(which, weights=change)
    out = []
    for k in np.argsort(-total)[:CLOSE_UPS]:
        mine = inside[which == k]
        middle = mine[np.argmax(np.convolve(change[which == k], np.ones(50), "same"))]
        out.append((float(row[middle]), float(column[middle])))
    return out
