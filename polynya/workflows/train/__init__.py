"""``polynya train``: labels and a recipe to a calibrated network, its scores and its ONNX file.

One story for tracks and scenes; what differs between them is the :class:`Material`
(:mod:`polynya.workflows.train.tracks`, :mod:`polynya.workflows.train.scenes`). torch is needed here and nowhere else in
the package; it comes with the extra ``[train]``.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import ValidationError

from ... import __version__, calibrate, io, metrics, recipes
from ...errors import OutputError, UsageError, one_line
from ...predict import runtime as predict_runtime
from ...report import training as report
from ...samples import labelled_tracks, splits
from . import kept_back, scenes, tracks

log = logging.getLogger("polynya.train")

STATE = "state.safetensors"


class Material(Protocol):
    """What a training learns from: samples of each part, and what is to be said of them."""

    classes: tuple[str, ...]
    unit: str
    split: object
    description: dict[str, object]

    def source(self, part: int, *, is_judged: bool) -> object:
        """Return the samples of a part, for :mod:`polynya.train`."""

    def counts(self) -> np.ndarray:
        """Return labelled samples of each class in the training part."""

    def fingerprint(self) -> str:
        """Return a hash of everything here that makes the weights."""

    def groups(self, where: np.ndarray) -> dict[str, np.ndarray]:
        """Return named subsets of judged samples, bool, for the calibration table."""

    def more_scores(self, targets: np.ndarray, called: np.ndarray) -> dict[str, object]:
        """Return scores that only this family has."""

    def about(self) -> dict[str, object]:
        """Return counts, parts and what each file says of itself."""


@dataclass(frozen=True)
class Result:
    """A finished training.

    Attributes
    ----------
    out : Path
    outputs : dict of str to Path
        ``onnx``, ``weights``, ``description``, ``history``, ``report``, ``run``.
    numbers : dict
        Kept epoch, scores of the judging part, calibration before and after, ONNX parity.
    is_leader : bool
        True in the process that wrote and may speak; torchrun's other processes keep quiet.
    """

    out: Path
    outputs: dict[str, Path]
    numbers: dict[str, object]
    is_leader: bool = True


def split_config(*, method: str, shares: Sequence[float], block_km: float, gap_km: float, seed: int) -> splits.Config:
    """Return a checked split.

    Raises
    ------
    UsageError
        If a value does not fit.
    """
    try:
        train, validation, calibration, test = shares
        return splits.Config(
            method=method,
            train=train,
            validation=validation,
            calibration=calibration,
            test=test,
            block_km=block_km,
            gap_km=gap_km,
            seed=seed,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "shares"
        raise UsageError(
            f"split: {where}: {first['msg'].removeprefix('Value error, ')}; found {str(first['input'])[:80]}."
            " Change it."
        ) from error


def run(
    recipe: str | Path,
    *,
    data: Sequence[Path | str],
    out: Path | str,
    split: splits.Config | None = None,
    seed: int = 0,
    epochs: int | None = None,
    also: Sequence[Path | str] = (),
    start_from: Path | str | None = None,
    held_out: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    threads: int = 0,
    show_progress: bool = False,
) -> Result:
    """Train, calibrate, score, export.

    Parameters
    ----------
    recipe : str or Path
        Name of a recipe, or a YAML file.
    data : sequence of Path or str
        Label tables, or folders of them; tile sets (HDF5) for a network of scenes.
    also : sequence of Path or str
        Others that are trained on whatever the split, and in no other part.
    start_from : Path or str, optional
        ``NAME.safetensors`` of a network of the same shape whose weights are the first ones (finetuning).
    held_out : sequence of str
        ``NETWORK.safetensors=TILES`` each (:mod:`polynya.workflows.train.kept_back`): ground of ``also`` and a network
        of the recipe that did not see it. A third of the calibration is fitted on their answers.
    out : Path or str
        Folder of the results. While the training runs it holds the state to go on from.
    split : splits.Config, optional
        By granule by default.
    seed : int
        Of weights, order and dropout; the split has its own.
    epochs : int, optional
        Instead of the recipe's.
    resume : bool
        Go on from the last whole epoch, where there is one.
    overwrite : bool
        Throw away what is in ``out`` and begin anew.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    threads : int
        Of a process on the CPU; 0 takes one for window networks, whose steps are too small to share, and torch's own
        number (a core each) for others.
    show_progress : bool
        A bar and a line an epoch on stderr.

    Returns
    -------
    Result

    Raises
    ------
    UsageError
        If torch is missing, a setting does not fit, or ``out`` holds another training.
    ProductError
        If a label table is damaged.
    OutputError
        If ``out`` cannot be written.
    """
    need_torch()
    import torch

    from ... import train

    out, plan = Path(out), recipes.load(recipe, epochs=epochs)
    split = split or splits.Config()
    family = scenes if plan.sensors else tracks
    description = family.network(plan)
    pairs = [kept_back.Pair.of(text) for text in held_out]
    if pairs and not plan.sensors:
        raise UsageError(f"--cross-fit: is for networks of scenes; recipe {plan.name} is one of tracks. Leave it out.")
    processes = train.start(device)
    plan = train.with_precision(plan, processes.device)
    usual = torch.get_num_threads()
    torch.set_num_threads(threads or (1 if description["kind"] == "window" else usual))
    try:
        told = {
            "start_from": Path(start_from).name if start_from else None,
            "kept_back": (
                [
                    f"{p.network.parent.name}/{p.network.name} (sha256 {predict_runtime.sha256(p.network)[:16]}) ="
                    f" {p.tiles.name}"
                    for p in pairs
                ]
                or None
            ),
        }
        asked = {"recipe": plan.as_dict(), "split": split.model_dump(), "seed": seed, **told}
        done = _claim(out, asked=asked, resume=resume, overwrite=overwrite)
        if done is not None:
            return replace(done, is_leader=processes.rank == 0)
        material = family.material(plan, description, data=data, also=also, split=split)
        opened = kept_back.open_pairs(pairs, plan=plan, description=description)
        result = _run(
            plan,
            material,
            description | material.description,
            start_from=start_from,
            opened=opened,
            told=told,
            out=out,
            split=split,
            seed=seed,
            overwrite=overwrite,
            processes=processes,
            show_progress=show_progress,
        )
        processes.wait()  # the others wait until the leader has written
        return result
    finally:
        torch.set_num_threads(usual)
        train.stop(processes)


def need_torch() -> None:
    """Raise UsageError where torch or onnx is not installed."""
    missing = [n for n in ("torch", "onnx") if importlib.util.find_spec(n) is None]
    if missing:
        raise UsageError(
            f"train: {' and '.join(missing)} cannot be imported; expected the extra [train]. pip install"
            " 'polynya[train]' (freeboard needs neither)."
        )


def _claim(out: Path, *, asked: dict[str, object], resume: bool, overwrite: bool) -> Result | None:
    """Look at what the folder holds; return the finished training where one is to be gone on with."""
    if (out / "run.json").exists() and not overwrite:
        if not resume:
            raise UsageError(
                f"{out}: holds a finished training; expected an empty folder. Choose another with -o, or pass"
                " --overwrite."
            )
        record = io.read_json(out / "run.json")
        held = {**record["config"], "seed": record["seed"]}
        other = [k for k, v in asked.items() if _without_text(held.get(k)) != _without_text(io.plain(v))]
        if other:
            raise UsageError(
                f"{out}: holds a finished training of another {' and '.join(other)}; expected the one asked for. Choose"
                " another folder with -o, or pass --overwrite."
            )
        return Result(out, {k: out / v for k, v in record["outputs"].items()}, record["numbers"])
    if (out / STATE).exists() and not (resume or overwrite):
        raise UsageError(
            f"{out}: holds a training that was stopped; expected to know what to do with it. --resume goes on,"
            " --overwrite begins anew."
        )
    return None


def _without_text(settings: object) -> object:
    """Leave out the recipe's text about itself, which makes no weights."""
    return {k: v for k, v in settings.items() if k != "about"} if isinstance(settings, dict) else settings


def _run(
    plan,
    material: Material,
    description: dict,
    *,
    start_from,
    opened,
    told,
    out,
    split,
    seed,
    overwrite,
    processes,
    show_progress,
) -> Result:
    import torch

    from ... import checkpoint, train

    leads = processes.rank == 0
    counts = material.counts()
    if not counts.any():
        raise UsageError(
            f"train: no {material.unit} of the training part is labelled; expected some. Label more, or change the"
            " split."
        )
    alpha = _alpha(plan, counts, material.classes)
    processes.wait()  # until every process has looked at the folder
    if leads:
        _prepare(out, is_anew=overwrite)
    processes.wait()
    torch.manual_seed(seed)
    model = checkpoint.build(description)
    first = None if start_from is None else _start_from(Path(start_from), model, description)
    digest = _digest(plan, split, seed, material, first)
    with _progress(plan.epochs, show=show_progress and leads) as (on_step, on_epoch):

        def finish_epoch(history: list[dict]) -> None:
            on_epoch(history[-1])
            if leads:
                io.write_json({"recipe": plan.name, "epochs": plan.epochs, "history": history}, out / "history.json")

        fitted = train.fit(
            model,
            train=material.source(splits.TRAIN, is_judged=False),
            validation=material.source(splits.VALIDATION, is_judged=True),
            recipe=plan,
            seed=seed,
            alpha=alpha,
            state=out / STATE,
            digest=digest,
            processes=processes,
            on_step=on_step,
            on_epoch=finish_epoch,
        )
    if not leads:
        return Result(out, {}, {}, is_leader=False)
    model.load_state_dict(fitted.weights)
    model.to("cpu")

    def judged(part: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return train.logits(
            model.to(processes.device), material.source(part, is_judged=True), batch=plan.batch, device=processes.device
        )

    fit_part = splits.CALIBRATION if split.calibration > 0 else splits.VALIDATION
    raw, targets, where = judged(fit_part)
    own = kept_back.Judged("", "", raw, targets, where, getattr(material, "scenes", ()))
    others = kept_back.judge(opened, batch=plan.batch, device=processes.device)
    raw, targets = kept_back.mixed(own, others)
    calibration = calibrate.fit(raw, targets, method=plan.calibration)
    weights = (1.0,) * len(material.classes)
    if plan.decision == "macro_f1":
        weights = calibrate.fit_decision(calibration.probabilities(raw), labelled_tracks.classes_of(targets))
    confidence = (
        calibrate.fit_confidence(calibration.probabilities(raw), labelled_tracks.classes_of(targets))
        if description["kind"] == "scene"
        else None
    )
    score_part = splits.TEST if split.test > 0 else fit_part
    raw, targets, where = judged(score_part)
    scored = _scores(raw, targets, where, material=material, calibration=calibration, weights=weights)
    numbers = {
        "epoch": fitted.epoch,
        "epochs": len(fitted.history),
        "part": splits.PARTS[score_part],
        "calibrated_on": splits.PARTS[fit_part],
        "unit": material.unit,
        "classes": list(material.classes),
        "is_leaky": material.split.is_leaky,
        **scored,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    if confidence is not None:
        numbers["confidence"] = calibrate.confidence_scores(
            calibration.probabilities(raw), labelled_tracks.classes_of(targets), confidence
        )
        numbers["areas"] = kept_back.area_errors([[own], others], calibration=calibration)
        numbers["kept_back"] = kept_back.scores(own, others, method=plan.calibration, names=material.classes)
    about = material.about()
    description |= {
        "calibration": calibration.as_dict(),
        "temperature": calibration.temperature,
        "decision_weights": weights,
        "recipe": plan.as_dict(),
        "seed": seed,
        "data": about,
        "metrics": {k: v for k, v in numbers.items() if k != "reliability"},
        "polynya": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        **({"start_from": first} if first else {}),
        **({"confidence": confidence.as_dict(), "areas": numbers["areas"]} if confidence else {}),
    }
    saved = checkpoint.save(out, network=model.to("cpu"), description=description)
    numbers["onnx_parity"] = saved.parity
    record = io.run_record(
        command=io.command_line(),
        config={"recipe": plan.as_dict(), "split": split.model_dump(), **{k: v for k, v in told.items() if v}},
        inputs=about["tables"],
        seed=seed,
        numbers=numbers,
        digest=digest,
        data={k: v for k, v in about.items() if k != "tables"},
        device=str(processes.device),
        processes=processes.size,
        outputs={
            "onnx": saved.onnx.name,
            "weights": saved.weights.name,
            "description": saved.description.name,
            "history": "history.json",
            "report": "report.html",
            "run": "run.json",
        },
    )
    report.write(
        out / "report.html",
        plan=plan.as_dict(),
        description=description,
        history=fitted.history,
        numbers=numbers,
        split=material.split.describe(),
    )
    io.write_json(record, out / "run.json")  # last: a training is done when this is there
    (out / STATE).unlink(missing_ok=True)
    return Result(out, {k: out / v for k, v in record["outputs"].items()}, numbers)


def _start_from(path: Path, model, description: dict) -> dict[str, str]:
    """Load another network's weights into the model; return what they are."""
    from ... import checkpoint

    other, told = checkpoint.load(path)
    theirs, ours = other.state_dict(), model.state_dict()
    if {k: v.shape for k, v in theirs.items()} != {k: v.shape for k, v in ours.items()}:
        raise UsageError(
            f"--start-from {path.name}: is a {told['model']['name']} of another shape; expected the recipe's"
            f" {description['model']['name']} with the same settings. Give another network, or the recipe it was"
            " trained with."
        )
    model.load_state_dict(theirs)
    ground = [*told.get("data", {}).get("ground", []), *told.get("start_from", {}).get("ground", [])]
    return {"file": path.name, "weights_sha256": told["weights_sha256"], **({"ground": ground} if ground else {})}


def _alpha(plan: recipes.Recipe, counts: np.ndarray, classes: tuple[str, ...]) -> tuple[float, ...] | None:
    """Return the loss's class weights; balanced ones from the training part."""
    alpha = plan.loss.alpha
    if alpha == "balanced" or (alpha is None and plan.loss.kind == "weighted"):
        import torch

        from ... import losses

        return tuple(losses.balanced_alpha(torch.from_numpy(counts).double()).tolist())
    if alpha is not None and len(alpha) != len(classes):
        raise UsageError(
            f"recipe {plan.name}: loss.alpha holds {len(alpha)} numbers; expected {len(classes)}: {', '.join(classes)}."
            " Mend the recipe."
        )
    return alpha


def _digest(plan: recipes.Recipe, split: splits.Config, seed: int, material: Material, first: dict | None) -> str:
    """Return a hash of everything that makes the weights."""
    return hashlib.sha256(
        json.dumps(
            [plan.digest(), split.model_dump(), seed, material.fingerprint(), *([first] if first else [])],
            sort_keys=True,
        ).encode()
    ).hexdigest()[:16]


def _scores(
    raw: np.ndarray,
    targets: np.ndarray,
    where: np.ndarray,
    *,
    material: Material,
    calibration: calibrate.Calibration,
    weights: tuple[float, ...],
) -> dict[str, object]:
    """Score the judging part: classes, probabilities before and after calibration, and what the family adds."""
    if len(raw) == 0:
        raise UsageError(
            f"test: the part holds no labelled {material.unit}; expected some. Label more, or change the split."
        )
    names = material.classes
    truth = labelled_tracks.classes_of(targets)
    before, after = calibrate.fit(raw, targets, method="none").probabilities(raw), calibration.probabilities(raw)
    called = np.argmax(after * np.asarray(weights), axis=1)
    c = metrics.confusion(truth, called, n_classes=len(names))
    most = metrics.confusion(truth, np.argmax(after, axis=1), n_classes=len(names))
    with np.errstate(invalid="ignore"):
        out = {
            "n": int(c.sum()),
            "macro_f1": float(metrics.macro_f1(c)),
            "f1": metrics.f1(c).tolist(),
            "iou": metrics.iou(c).tolist(),
            "recall": metrics.recall(c).tolist(),
            "precision": metrics.precision(c).tolist(),
            "confusion": c.tolist(),
            "accuracy": float(metrics.accuracy(c)),
            "majority_accuracy": float(metrics.majority_accuracy(c)),
            "majority_macro_f1": _majority_macro_f1(c),
            "most_probable_macro_f1": float(metrics.macro_f1(most)),
            **material.more_scores(targets, called),
        }
    table = {}
    for name, mine in {"all": np.ones(len(raw), bool), **material.groups(where)}.items():
        if mine.any():
            table[name] = {
                when: [
                    {k: v for k, v in asdict(s).items() if k != "reliability"}
                    for s in calibrate.scores(p[mine], truth[mine], names=names)
                ]
                for when, p in (("before", before), ("after", after))
            }
    out["calibration"] = table
    out["reliability"] = {
        when: [asdict(s) for s in calibrate.scores(p, truth, names=names)]
        for when, p in (("before", before), ("after", after))
    }
    return out


def _majority_macro_f1(c: np.ndarray) -> float:
    """Macro-F1 of always saying the most frequent class."""
    n = metrics.support(c)
    always = np.zeros_like(c)
    always[:, int(np.argmax(n))] = n
    return float(metrics.macro_f1(always))


def _prepare(out: Path, *, is_anew: bool) -> None:
    """Make the folder; beginning anew removes the files of an earlier training and nothing else."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if is_anew:
            for name in (
                "run.json",
                STATE,
                "history.json",
                "report.html",
            ):  # run.json first: without it nothing counts as done
                (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written ({one_line(error)}); expected a folder with room and write permission. Choose"
            " another with -o."
        ) from error


@contextlib.contextmanager
def _progress(epochs: int, *, show: bool) -> Iterator[tuple]:
    """Yield what to call after each step and each epoch: a bar and a line on stderr, or nothing."""
    if not show:
        yield (lambda epoch, share: None), (lambda row: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("1", total=float(epochs))

        def on_step(epoch: int, share: float) -> None:
            bar.update(task, completed=epoch - 1 + share, description=f"{epoch}/{epochs}")

        def on_epoch(row: dict) -> None:
            recall = " ".join("-" if not np.isfinite(r) else f"{r:.2f}" for r in row["recall"])
            bar.console.print(
                f"epoch {row['epoch']:3d}  loss {row['train_loss']:.4f}  validation {row['validation_loss']:.4f} "
                f" macro-F1 {row['macro_f1']:.3f}  recall {recall}  ({row['seconds']:.0f} s)",
                highlight=False,
                soft_wrap=True,
            )

        yield on_step, on_epoch
