"""The report of a training: learning curves, confusion, calibration before and after, the recipe, and on what data it
rests."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from ..schema import counted
from . import html
from .histograms import nice_top
from .html import Markup, escape, number, percent
from .score_rows import score_lines, scores_of

WIDTH, HEIGHT = 470, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 26, 42
_GROUPS = {"strong": "strong beams", "weak": "weak beams"}
COLOURS = ("#3b7fb5", "#e69f00", "#08306b", "#a0307a")


def write(path: Path, *, plan: dict, description: dict, history: Sequence[dict], numbers: dict, split: dict) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
        The file.
    plan, description : dict
        The recipe, and what the network says of itself.
    history : sequence of dict
        One row per epoch, as :class:`polynya.train.Fitted` has them.
    numbers : dict
        Scores of the test part.
    split : dict
        Of :meth:`polynya.samples.splits.Split.describe`.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    return html.write_text(
        path, page(plan=plan, description=description, history=history, numbers=numbers, split=split)
    )


def text(numbers: dict, outputs: dict[str, str]) -> str:
    """Return what is said of a finished training on a terminal: scores beside the majority class, and its files."""
    if "confusion" not in numbers:
        return "\n".join([*score_lines(numbers), *(f"  {path}" for path in outputs.values())])
    lines = [
        f"macro-F1 {numbers['macro_f1']:.3f} on the {numbers['part']} part, {counted(numbers['n'], numbers['unit'])}"
        f" (always the most frequent class: {numbers['majority_macro_f1']:.3f}); epoch {numbers['epoch']} of"
        f" {numbers['epochs']}" + ("; the split leaks, these scores are too high" if numbers["is_leaky"] else "")
    ]
    both = numbers["calibration"]["all"]
    for k, name in enumerate(_readable(numbers["classes"])):
        before, after = both["before"][k], both["after"][k]
        values = [
            numbers["recall"][k],
            numbers["precision"][k],
            before["calibration_error"],
            after["calibration_error"],
            after["brier_skill"],
        ]
        recall, precision, first, last, skill = (
            "-" if v is None or not math.isfinite(v) else f"{v:.3f}" for v in values
        )
        lines.append(
            f"  {name:10}  recall {recall}  precision {precision}  calibration error {first} -> {last}  Brier skill"
            f" {skill}  n {after['events']:,}"
        )
    lines += [
        f"  out-of-fold: {r['scene']} by {r['network']}: IoU {r['iou']:.3f} (everything {r['everything_iou']:.3f}),"
        f" area {100 * r['area_deviation']:+.0f} %, calibration error {r['calibration_error']:.3f}"
        for r in _out_of_fold(numbers)
    ]
    return "\n".join([*lines, *(f"  {path}" for path in outputs.values())])


def _out_of_fold(numbers: dict) -> Sequence[dict]:
    """Return the out-of-fold scores; trainings of earlier releases have another key for them."""
    return numbers.get("cross_fitting") or numbers.get("kept_back") or []


def _everything_iou(numbers: dict) -> float | None:
    """Return the IoU of calling everything the positive class; earlier releases have another key for it."""
    return numbers.get("all_positive_iou", numbers.get("all_of_last_class_iou"))


def _other_page(*, plan: dict, description: dict, history: Sequence[dict], numbers: dict) -> str:
    """Return the page of a target that is not one class of several."""
    skip = ("epoch", "rate", "seconds", "samples")
    first = [
        (key, [r.get(key) for r in history], COLOURS[k % len(COLOURS)])
        for k, key in enumerate(k for k, v in (history[0] if history else {}).items() if isinstance(v, float))
        if key not in (*skip, "train_loss", "validation_loss")
    ]
    settings = {k: v for k, v in plan.items() if k != "about"}
    body = [
        f'<p class="brand">polynya train</p><h1>{escape(plan["name"])}</h1>',
        _warning(numbers, description),
        "<section><h2>Learning</h2><div class=figures>",
        _loss_curve(history, numbers),
        curve_figure(first, title="Validation", label="score", mark=numbers["epoch"]) if first else Markup(""),
        f"</div></section><section><h2>Scores on the {escape(numbers['part'])} part</h2>",
        html.table(("score", "value"), scores_of(numbers)),
        f"</section><section><h2>Recipe</h2><p>{escape(plan.get('about') or '')}</p>",
        f"<pre>{escape(json.dumps(settings, indent=1))}</pre></section>",
    ]
    return html.page(title=f"{plan['name']}: training", body=body)


def page(*, plan: dict, description: dict, history: Sequence[dict], numbers: dict, split: dict) -> str:
    """Return the page as HTML; see :func:`write`."""
    if "confusion" not in numbers:
        return _other_page(plan=plan, description=description, history=history, numbers=numbers)
    classes = _readable(description["classes"])
    held_out = _out_of_fold(numbers)
    settings = {k: v for k, v in plan.items() if k != "about"}
    body = [
        f'<p class="brand">polynya train</p><h1>{escape(plan["name"])}</h1>',
        _result(numbers, history),
        _warning(numbers, description),
        "<section><h2>Learning</h2><div class=figures>",
        _loss_curve(history, numbers),
        _score_curve(history, numbers, classes),
        "</div></section>",
        f"<section><h2>Classes on the {escape(numbers['part'])} part</h2>",
        _class_table(numbers, classes),
        _confusion(numbers["confusion"], classes),
        "</section>",
        "<section><h2>Calibration</h2>",
        _calibration_table(numbers, classes),
        "<div class=figures>",
        reliability_figure(numbers["reliability"]["before"], "Before calibration", classes),
        reliability_figure(numbers["reliability"]["after"], "Calibrated", classes),
        "</div>",
        (
            f"<p>Fitted on the {escape(numbers['calibrated_on'])}"
            f" part{' and, for a third, on the out-of-fold predictions below' if held_out else ''}:"
            f" {escape(_calibration_text(description['calibration']))} Empty bins are not drawn.</p></section>"
        ),
        _cross_fitting(held_out),
        "<section><h2>Data and split</h2>",
        _data(description["data"], split, classes),
        "</section>",
        (
            f"<section><h2>Recipe</h2><p>{escape(plan.get('about') or '')}</p>"
            f"<pre>{escape(json.dumps(settings, indent=1))}</pre></section>"
        ),
    ]
    return html.page(title=f"{plan['name']}: training", body=body)


def _cross_fitting(rows: Sequence[dict]) -> Markup:
    """Return the table of out-of-fold predictions."""
    if not rows:
        return Markup("")
    head = (
        "scene",
        "predicted by",
        "pixels",
        "IoU",
        "everything the positive class",
        "precision",
        "recall",
        "area deviation",
        "calibration error",
        "Brier skill",
    )
    cells = (
        [
            r["scene"],
            r["network"],
            f"{r['n']:,}",
            *(
                number(r[k], 3)
                for k in (
                    "iou",
                    "everything_iou",
                    "precision",
                    "recall",
                    "area_deviation",
                    "calibration_error",
                    "brier_skill",
                )
            ),
        ]
        for r in rows
    )
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in cells)
    return Markup(
        "<section><h2>Out-of-fold predictions</h2><p>By networks of this recipe that were not trained on this ground;"
        f" this network was.</p><table><thead><tr>{''.join(f'<th>{escape(h)}</th>' for h in head)}</tr></thead>"
        f"<tbody>{body}</tbody></table></section>"
    )


def _readable(classes: Sequence[str]) -> list[str]:
    return [c.replace("_", " ") for c in classes]


def _result(numbers: dict, history: Sequence[dict]) -> Markup:
    recall = ", ".join(
        f"{c} {number(r, 3)}" for c, r in zip(_readable(numbers["classes"]), numbers["recall"], strict=True)
    )
    return Markup(
        f'<section id="result"><p class="result">Macro-F1 <strong>{number(numbers["macro_f1"], 3)}</strong> on'
        f" {counted(numbers['n'], numbers['unit'])} of the {escape(numbers['part'])} part "
        f"(always saying the most frequent class: {number(numbers['majority_macro_f1'], 3)}). Recall: {escape(recall)}."
        f" Epoch {numbers['epoch']} of {len(history)} is kept; "
        f"{numbers['parameters']:,} parameters. ONNX and torch differ by at most"
        f" {numbers['onnx_parity']:.0e}.</p></section>"
    )


def _warning(numbers: dict, description: dict) -> Markup:
    said = []
    if numbers["is_leaky"]:
        said.append(
            "The split is random and leaks: neighbours of everything that is scored were trained on. These scores are"
            " too high; they are here to compare with publications that split so."
        )
    elif numbers["part"] != "test":
        said.append(
            f"There is no test part: the scores are of the {numbers['part']} part, on which the calibration was fitted"
            " or the epoch chosen, and are a little too high."
        )
    said.append(
        "Scores rest on the files listed below. Where these are simulated, the scores say how well the simulation is"
        " learnt and nothing of real ice."
    )
    return Markup(f"<ul class=messages>{''.join(f'<li>{escape(s)}</li>' for s in said)}</ul>")


def curve_figure(
    series: Sequence[tuple[str, Sequence[float], str]],
    *,
    title: str,
    label: str,
    mark: float | None = None,
    top: float | None = None,
) -> Markup:
    """Return lines over epochs.

    Parameters
    ----------
    series : sequence of (name, values per epoch, colour)
        Values that are missing break the line.
    title, label : str
        Above the plot and along its upright axis.
    mark : float, optional
        An epoch to mark.
    top : float, optional
        End of the upright axis, which starts at 0.
    """
    n = max((len(values) for _, values, _ in series), default=0)
    finite = [v for _, values, _ in series for v in values if v is not None and math.isfinite(v)]
    if not finite:
        return Markup(f'<figure class="none"><figcaption>{escape(title)}: no value.</figcaption></figure>')
    end, tick = (top, top / 5) if top else nice_top(max(finite))
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(epoch: float) -> float:
        return LEFT + wide * ((epoch - 1) / (n - 1) if n > 1 else 0.5)

    def y(value: float) -> float:
        return TOP + tall * (1 - value / end)

    out = [
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"><text class="title"'
        f' x="{LEFT}" y="15">{escape(title)}</text>'
    ]
    out += [
        f'<path class="rule" d="M{LEFT} {y(k * tick):.1f}h{wide}"/><text x="{LEFT - 6}" y="{y(k * tick) + 4:.1f}"'
        f' text-anchor="end">{k * tick:.3g}</text>'
        for k in range(round(end / tick) + 1)
    ]
    out += [
        f'<text x="{x(epoch):.1f}" y="{TOP + tall + 16}" text-anchor="middle">{epoch}</text>'
        for epoch in sorted({round(1 + (n - 1) * q / 5) for q in range(6)})
    ]
    if mark:
        out.append(f'<path class="median" d="M{x(mark):.1f} {TOP}v{tall}"/>')
    for _, values, colour in series:
        path, pen = [], "M"
        for k, value in enumerate(values):
            if value is None or not math.isfinite(value):
                pen = "M"
                continue
            path.append(f"{pen}{x(k + 1):.1f} {y(min(value, end)):.1f}")
            pen = "L"
        dots = (
            "".join(
                f'<circle cx="{x(k + 1):.1f}" cy="{y(min(v, end)):.1f}" r="1.8" fill="{colour}"/>'
                for k, v in enumerate(values)
                if v is not None and math.isfinite(v)
            )
            if n <= 40
            else ""
        )
        out.append(f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.8"/>{dots}')
    out.append(
        f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 8}" text-anchor="middle">epoch</text><text x="13"'
        f' y="{TOP + tall / 2}" text-anchor="middle" transform="rotate(-90 13'
        f' {TOP + tall / 2})">{escape(label)}</text></svg>{_legend(series)}</figure>'
    )
    return Markup("".join(out))


def _legend(series: Sequence[tuple[str, object, str]]) -> str:
    swatches = "".join(
        '<span><svg class="sw" viewBox="0 0 13 13" style="display:inline-block;width:13px;height:13px"><rect'
        f' width="13" height="13" fill="{colour}"/></svg>{escape(name)}</span>'
        for name, _, colour in series
    )
    return f'<figcaption class="swatches">{swatches}</figcaption>'


def _loss_curve(history: Sequence[dict], numbers: dict) -> Markup:
    series = [
        ("training", [r["train_loss"] for r in history], COLOURS[0]),
        ("validation", [r["validation_loss"] for r in history], COLOURS[1]),
    ]
    return curve_figure(series, title="Loss", label=f"loss per labelled {numbers['unit']}", mark=numbers["epoch"])


def _score_curve(history: Sequence[dict], numbers: dict, classes: list[str]) -> Markup:
    series = [("macro-F1", [r["macro_f1"] for r in history], COLOURS[3])]
    series += [
        (f"recall {name}", [r["recall"][k] for r in history], COLOURS[k % len(COLOURS)])
        for k, name in enumerate(classes)
    ]
    positive = _positive(numbers)
    if numbers["unit"] == "pixel" and positive is not None:
        series.append((f"IoU {classes[positive]}", [r["iou"][positive] for r in history], "#555555"))
    return curve_figure(series, title="Validation", label="score", mark=numbers["epoch"], top=1.0)


def _positive(numbers: dict) -> int | None:
    """Return the number of the positive class, if any; trainings that wrote no such key meant the last."""
    positive = numbers.get("positive", numbers["classes"][-1])
    return None if positive is None else numbers["classes"].index(positive)


def _class_table(numbers: dict, classes: list[str]) -> Markup:
    support = [sum(row) for row in numbers["confusion"]]
    score = ("IoU", "iou") if numbers["unit"] == "pixel" else ("F1", "f1")
    rows = [
        (
            name,
            number(numbers["recall"][k], 3),
            number(numbers["precision"][k], 3),
            number(numbers[score[1]][k], 3),
            f"{support[k]:,.0f}",
        )
        for k, name in enumerate(classes)
    ]
    more = (
        f"Accuracy {number(numbers['accuracy'], 3)}, of always saying the most frequent class"
        f" {number(numbers['majority_accuracy'], 3)}."
    )
    positive = _positive(numbers)
    if (everything := _everything_iou(numbers)) is not None and positive is not None:
        more += f" Calling everything {classes[positive]}: IoU {number(everything, 3)}."
    if numbers.get("n_ice_of_unknown_thickness"):
        more += (
            f" {numbers['n_ice_of_unknown_thickness']:,} more segments are known to be ice, thick or thin; with them"
            f" water has recall {number(numbers['water_recall'], 3)} and precision"
            f" {number(numbers['water_precision'], 3)}."
        )
    return Markup(html.table(("class", "recall", "precision", score[0], "n"), rows) + f"<p>{escape(more)}</p>")


def _confusion(confusion: list[list[float]], classes: list[str]) -> Markup:
    rows = [
        (name, *(f"{c:,.0f} ({percent(c, sum(row))})" for c in row[: len(classes)]))
        for name, row in zip(classes, confusion, strict=True)
    ]
    return html.table(
        ("truth, then called", *classes), rows, caption="Confusion: how many, and their share of the true class"
    )


def _calibration_table(numbers: dict, classes: list[str]) -> Markup:
    rows = []
    for who, table in numbers["calibration"].items():
        for k, name in enumerate(classes):
            b, a = table["before"][k], table["after"][k]
            rows.append(
                (
                    _GROUPS.get(who, who),
                    name,
                    number(b["calibration_error"], 4),
                    number(a["calibration_error"], 4),
                    number(b["brier_skill"], 3),
                    number(a["brier_skill"], 3),
                    f"{a['events']:,} of {a['n']:,}",
                )
            )
    head = ("samples", "class", "calibration error before", "after", "Brier skill before", "after", "of the class")
    return html.table(head, rows, text_columns=2)


def _calibration_text(calibration: dict) -> str:
    if calibration["method"] == "none":
        return "nothing was fitted."
    if calibration["method"] == "temperature":
        return f"logits are divided by {calibration['temperature']:.3f} ({calibration['n']:,} samples)."
    pairs = ", ".join(f"{s:.3f} z {o:+.3f}" for s, o in zip(calibration["scale"], calibration["offset"], strict=True))
    return f"a factor and an offset per class, {pairs} ({calibration['n']:,} samples)."


def reliability_figure(scores: list[dict], title: str, classes: list[str]) -> Markup:
    """Return how often a class was true against the probability that was said; ``reliability`` of each score is (n,
    mean probability, frequency) a bin."""
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    out = [
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"><text class="title"'
        f' x="{LEFT}" y="15">{escape(title)}</text>'
    ]
    for k in range(6):
        q = k / 5
        out.append(
            f'<path class="rule" d="M{LEFT} {TOP + tall * (1 - q):.1f}h{wide}"/><text x="{LEFT - 6}"'
            f' y="{TOP + tall * (1 - q) + 4:.1f}" text-anchor="end">{q:g}</text>'
        )
        out.append(f'<text x="{LEFT + wide * q:.1f}" y="{TOP + tall + 16}" text-anchor="middle">{q:g}</text>')
    out.append(f'<path class="axis" stroke-dasharray="3 3" d="M{LEFT} {TOP + tall}L{LEFT + wide} {TOP}"/>')
    for k, score in enumerate(scores):
        points = [(LEFT + wide * p, TOP + tall * (1 - f), n) for n, p, f in score["reliability"]]
        line = "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y, _) in enumerate(points))
        out.append(f'<path d="{line}" fill="none" stroke="{COLOURS[k % len(COLOURS)]}" stroke-width="1.6"/>')
        out += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{1.5 + 1.5 * math.log10(max(n, 1)) / 2:.1f}"'
            f' fill="{COLOURS[k % len(COLOURS)]}"/>'
            for x, y, n in points
        ]
    out.append(
        f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 8}" text-anchor="middle">predicted probability</text><text x="13"'
        f' y="{TOP + tall / 2}" text-anchor="middle" transform="rotate(-90 13 {TOP + tall / 2})">how often it was'
        " so</text></svg>"
    )
    return Markup(
        "".join(out) + _legend([(name, (), COLOURS[k % len(COLOURS)]) for k, name in enumerate(classes)]) + "</figure>"
    )


def _data(data: dict, split: dict, classes: list[str]) -> Markup:
    is_track = "segments" in data
    rows = []
    for part, labels in data["labels"].items():
        counts = [f"{n:,}" for n in labels.values()]
        rows.append(
            (part, f"{split['groups'][part]:,}", *([f"{split['segments'][part]:,}"] if is_track else []), *counts)
        )
    unit = {
        "granule": "granules" if is_track else "scenes",
        "block": "blocks",
        "random": "segments" if is_track else "tiles",
    }[split["method"]]
    head = (
        "part",
        unit,
        *(["segments"] if is_track else []),
        *classes,
        *(["ice, thickness unknown"] if is_track else []),
    )
    gap = f"; {split['left_out_in_gaps']:,} segments lie in gaps between parts and are in none" if is_track else ""
    table = html.table(head, rows, caption=f"Split by {unit.removesuffix('s')}{gap}")
    shown = (
        "granule",
        "source",
        "scene",
        "truth",
        "method",
        "shift_confidence",
        "is_simulated",
        "simulator_commit",
        "season",
        "label_counts",
        "tiles",
        "bytes",
    )
    tables = [(t.get("file", "?"), "; ".join(f"{k} {t[k]}" for k in shown if k in t)[:300]) for t in data["tables"]]
    listed = html.table(("file", "metadata"), tables, text_columns=2)
    if is_track:
        whole = (
            f"{data['granules']:,} granules, {data['segments']:,} segments, {data['labelled']:,} labelled;"
            f" {percent(data['strong_share'], 1.0)} on strong beams."
        )
    else:
        whole = (
            f"{data['scenes']:,} scenes, {data['tiles']:,} tiles, {data['pixels']:,} pixels, {data['labelled']:,}"
            f" labelled; regions {', '.join(data['regions'])}."
        )
    return Markup(f"{table}<p>{escape(whole)}</p><details><summary>Files</summary>{listed}</details>")
