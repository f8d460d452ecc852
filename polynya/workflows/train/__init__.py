"""``polynya train``: labels and a recipe to a calibrated network, its scores and its ONNX file.

One story for every family (:mod:`polynya.families`) and every target (:mod:`polynya.targets`). torch is needed here and
nowhere else in the package; it comes with the extra ``[train]``.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ... import __version__, calibrate, families, io, recipes
from ...description import Description
from ...errors import UsageError
from ...families import Fitted, FoldPredictions, TrainingData
from ...predict import runtime as predict_runtime
from ...report import training as report
from ...samples import class_bits, splits
from ...targets import OneOf
from . import batch_norm, cross_fitting, earlier, folder, progress
from .folder import STATE, Result

log = logging.getLogger("polynya.train")

__all__ = ["STATE", "Result", "need_torch", "run", "split_config"]


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
    train_only: Sequence[Path | str] = (),
    start_from: Path | str | None = None,
    teacher: Path | str | None = None,
    cross_fit: Sequence[str] = (),
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
    train_only : sequence of Path or str
        More data for training only, whatever the split.
    start_from : Path or str, optional
        ``NAME.safetensors`` of a network of the same shape whose weights are the first ones (finetuning).
    teacher : Path or str, optional
        ``NAME.safetensors`` of a network of the same inputs and classes, trained on the same data: a share of the loss
        (``loss.teacher`` of the recipe) asks for its probabilities instead of the labels, so that a small network
        learns what a large one found (distillation).
    cross_fit : sequence of str
        ``NETWORK.safetensors=TILES`` each (:mod:`polynya.workflows.train.cross_fitting`): ground of ``train_only`` and
        a network of the recipe that was not trained on it. A third of the calibration is fitted on their out-of-fold
        predictions.
    out : Path or str
        Folder of the results. While the training runs it holds the state to resume from.
    split : splits.Config, optional
        By granule by default.
    seed : int
        Random seed of weights, order and dropout; the split has its own.
    epochs : int, optional
        Number of epochs; the recipe's by default.
    resume : bool
        Resume from the last whole epoch, where there is one.
    overwrite : bool
        Discard an existing training in ``out``.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    threads : int
        Of a process on the CPU; 0 takes one for window networks, whose steps are too small to share, and torch's own
        number (a core each) for others.
    show_progress : bool
        A bar and one line per epoch on stderr.

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
    family = families.named(plan.family_name)
    description = family.network(plan)
    _check(plan, description)
    pairs = [cross_fitting.Pair.from_text(text) for text in cross_fit]
    processes = train.start(device)
    plan = train.with_precision(plan, processes.device)
    usual = torch.get_num_threads()
    has_small_steps = getattr(family, "has_small_steps", None)
    torch.set_num_threads(threads or (1 if has_small_steps and has_small_steps(description) else usual))
    try:
        options = {
            "start_from": Path(start_from).name if start_from else None,
            "teacher": Path(teacher).name if teacher else None,
            "cross_fit": [_named(p) for p in pairs] or None,
        }
        key = folder.result_key(
            plan,
            split=split,
            seed=seed,
            inputs={
                **{f"data set {k}": Path(p) for k, p in enumerate(data, 1)},
                **{f"training-only data set {k}": Path(p) for k, p in enumerate(train_only, 1)},
                **{f"cross-fit data set {k}": p.tiles for k, p in enumerate(pairs, 1)},
            },
            networks={
                **({"start_from": Path(start_from)} if start_from else {}),
                **({"teacher": Path(teacher)} if teacher else {}),
                **{f"cross_fit {k}": p.network for k, p in enumerate(pairs, 1)},
            },
        )
        with folder.locked(out) if processes.rank == 0 else contextlib.nullcontext():
            done = folder.claim(out, key=key, resume=resume, overwrite=overwrite)
            if done is not None:
                return replace(done, is_leader=processes.rank == 0)
            data_ = family.data(plan, description, data=data, train_only=train_only, split=split)
            task = _Task(
                plan=plan,
                data=data_,
                description=description.model_copy(update=data_.learned),
                folds=tuple(cross_fitting.open_pairs(pairs, plan=plan, description=description)),
                start_from=None if start_from is None else Path(start_from),
                teacher=None if teacher is None else Path(teacher),
                options={k: v for k, v in options.items() if v},
                out=out,
                key=key,
                split=split,
                seed=seed,
                processes=processes,
            )
            result = _run(task, is_anew=overwrite, show_progress=show_progress)
            processes.wait()  # the others wait until the leader has written
            return result
    finally:
        torch.set_num_threads(usual)
        train.stop(processes)


def _named(pair: cross_fitting.Pair) -> str:
    """Return a pair as run.json has it: no path of this machine."""
    digest = predict_runtime.sha256(pair.network)[:16]
    return f"{pair.network.parent.name}/{pair.network.name} (sha256 {digest}) = {pair.tiles.name}"


def _check(plan: recipes.Recipe, description: Description) -> None:
    """Raise UsageError where settings of a recipe do not fit its target."""
    description.predicts.check_metric(plan.stop.metric)
    if plan.decision == "macro_f1" and not isinstance(description.predicts, OneOf):
        raise UsageError(
            f"recipe {plan.name}: decision macro_f1 is for one class of several; found {description.predicts.kind}."
            " Leave it out."
        )


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A training that may begin."""

    plan: recipes.Recipe
    data: TrainingData
    description: Description
    folds: tuple[cross_fitting.Fold, ...]
    start_from: Path | None
    teacher: Path | None
    options: dict[str, object]
    out: Path
    key: io.Key
    split: splits.Config
    seed: int
    processes: Any


def need_torch() -> None:
    """Raise UsageError where torch or onnx is not installed."""
    missing = [n for n in ("torch", "onnx") if importlib.util.find_spec(n) is None]
    if missing:
        raise UsageError(
            f"train: {' and '.join(missing)} cannot be imported; expected the extra [train]. pip install"
            " 'polynya[train]' (freeboard needs neither)."
        )


def _run(task: _Task, *, is_anew: bool, show_progress: bool) -> Result:
    """Train, fit, score, write."""
    import torch

    from ... import checkpoint, train

    plan, data, description, processes = task.plan, task.data, task.description, task.processes
    leads = processes.rank == 0
    counts = data.counts()
    if not counts.any():
        raise UsageError(
            f"train: no {data.unit} of the training part is labelled; expected some. Label more, or change the split."
        )
    alpha = _alpha(plan, counts, description)
    processes.wait()  # until every process has looked at the folder
    key = io.key_as_dict(task.key) if leads else {}
    if leads:
        folder.prepare(task.out, is_anew=is_anew)
    processes.wait()
    torch.manual_seed(task.seed)
    model = checkpoint.build(description)
    first = None if task.start_from is None else earlier.start_from(task.start_from, model, description)
    teacher, taught = (None, None) if task.teacher is None else earlier.teacher(task.teacher, description)
    digest = _digest(task, first, taught)
    with progress.shown(plan.epochs, show=show_progress and leads) as (on_step, on_epoch):

        def finish_epoch(history: list[dict]) -> None:
            on_epoch(history[-1])
            if leads:
                record = {"recipe": plan.name, "epochs": plan.epochs, "history": history}
                io.write_json(record, task.out / "history.json")

        trained = train.fit(
            model,
            train=data.source(splits.TRAIN, is_scored=False),
            validation=data.source(splits.VALIDATION, is_scored=True),
            training=train.Training(
                recipe=plan,
                target=description.predicts,
                seed=task.seed,
                alpha=alpha,
                state=task.out / STATE,
                digest=digest,
                processes=processes,
                teacher=None if teacher is None else teacher.to(processes.device),
                on_step=on_step,
                on_epoch=finish_epoch,
            ),
        )
    if not leads:
        return Result(out=task.out, outputs={}, numbers={}, is_leader=False)
    model.load_state_dict(trained.weights)
    if plan.batch_norm == "recomputed":
        drawn = data.source(splits.TRAIN, is_scored=False)
        batch_norm.recompute(model, drawn, batch=plan.batch, device=processes.device, seed=task.seed)
    described, numbers = _finish(task, model, trained, first)
    if taught:
        described = described.model_copy(update={"teacher": taught})
    saved = checkpoint.save(task.out, network=model.to("cpu"), description=described)
    numbers["onnx_parity"] = saved.parity
    return _write(task, described, saved, numbers, history=trained.history, digests={"digest": digest, "key": key})


def _finish(
    task: _Task, model: Any, trained: Any, first: dict[str, Any] | None
) -> tuple[Description, dict[str, object]]:
    """Calibrate and score; return the whole description and the scores."""
    import torch

    plan, data, target = task.plan, task.data, task.description.predicts
    fit_part = splits.CALIBRATION if task.split.calibration > 0 else splits.VALIDATION
    score_part = splits.TEST if task.split.test > 0 else fit_part
    own = _predictions(task, model, fit_part)
    others = cross_fitting.predict(
        task.folds, description=task.description, batch=plan.batch, device=task.processes.device
    )
    outputs, targets = cross_fitting.pool(own, others, calibrated_on=plan.calibrated_on)
    fitted = _fit(plan, task.description, outputs, targets)
    more = data.fit_more(cross_fitting.counted(own, others, calibrated_on=plan.calibrated_on), others, fitted)
    if hasattr(data, "fit_network"):
        more = {**more, **data.fit_network(model, batch=plan.batch, device=task.processes.device)}
    scored = _predictions(task, model, score_part)
    if len(scored.outputs) == 0:
        raise UsageError(
            f"test: the part holds no labelled {data.unit}; expected some. Label more, or change the split."
        )
    numbers: dict[str, object] = {
        "epoch": trained.epoch,
        "epochs": len(trained.history),
        "part": splits.PARTS[score_part],
        "calibrated_on": splits.PARTS[fit_part],
        "unit": data.unit,
        "classes": list(target.planes),
        "target": target.kind,
        "is_leaky": data.split.is_leaky,
        **target.scores(scored.outputs, scored.targets, calibration=fitted.calibration, weights=fitted.weights),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    if isinstance(target, OneOf):
        numbers["positive"] = target.positive
        numbers["calibration"] = target.calibration_table(
            scored.outputs, scored.targets, data.groups(scored.where), calibration=fitted.calibration
        )
        if hasattr(families.named(task.description.family), "scoring_data"):
            numbers["cross_fitting"] = cross_fitting.scores(
                own, others, method=plan.calibration, target=target, calibrated_on=plan.calibrated_on
            )
    numbers |= data.more_scores(scored, fitted, more)
    described = task.description.model_validate(
        {
            **task.description.model_dump(),
            "description_version": 1,
            "calibration": fitted.calibration.as_dict(),
            "temperature": fitted.calibration.temperature,
            "decision_weights": fitted.weights,
            "recipe": plan.as_dict(),
            "seed": task.seed,
            "data": io.plain(data.about()),
            "metrics": io.plain({k: v for k, v in numbers.items() if k != "reliability"}),
            "polynya": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "start_from": first,
            **more,
        }
    )
    return described, numbers


def _predictions(task: _Task, model: Any, part: int) -> FoldPredictions:
    """Return what the trained network gives for a part that it was not trained on."""
    from ... import train

    device = task.processes.device
    found = train.outputs(
        model.to(device),
        task.data.source(part, is_scored=True),
        target=task.description.predicts,
        batch=task.plan.batch,
        device=device,
    )
    scenes = getattr(task.data, "scenes", ())
    return FoldPredictions(outputs=found.outputs, targets=found.targets, where=found.where, scenes=scenes)


def _fit(plan: recipes.Recipe, description: Description, outputs: np.ndarray, targets: np.ndarray) -> Fitted:
    """Fit the calibration, and of classes the weights that decide between them."""
    target = description.predicts
    calibration = target.fit(outputs, targets, method=plan.calibration)
    weights = None
    if isinstance(target, OneOf):
        weights = (1.0,) * target.channels
        if plan.decision == "macro_f1":
            weights = calibrate.fit_decision(calibration.probabilities(outputs), class_bits.single(targets))
    return Fitted(calibration=calibration, weights=weights, outputs=outputs, targets=targets)


def _write(
    task: _Task,
    described: Description,
    saved: Any,
    numbers: dict[str, object],
    *,
    history: list[dict],
    digests: dict[str, object],
) -> Result:
    """Write report and record; the record is last: a training is done when it is there."""
    about, processes = described.data, task.processes
    outputs = {
        "onnx": saved.onnx.name,
        "weights": saved.weights.name,
        "description": saved.description.name,
        "history": "history.json",
        "report": "report.html",
        "run": "run.json",
    }
    record = io.run_record(
        command=io.command_line(),
        config={"recipe": task.plan.as_dict(), "split": task.split.model_dump(), **task.options},
        inputs=about["tables"],
        seed=task.seed,
        numbers=numbers,
        **digests,
        data={k: v for k, v in about.items() if k != "tables"},
        device=str(processes.device),
        processes=processes.size,
        outputs=outputs,
        contents=sorted([*outputs.values(), *([saved.drawn.name] if saved.drawn is not None else [])]),
    )
    report.write(
        task.out / "report.html",
        plan=task.plan.shown(),
        description=described.as_json(),
        history=history,
        numbers=numbers,
        split=task.data.split.describe(),
    )
    io.write_json(record, task.out / "run.json")
    (task.out / STATE).unlink(missing_ok=True)
    return Result(out=task.out, outputs={k: task.out / v for k, v in outputs.items()}, numbers=numbers)


def _alpha(plan: recipes.Recipe, counts: np.ndarray, description: Description) -> tuple[float, ...] | None:
    """Return the loss's class weights; balanced ones from the training part."""
    alpha = plan.loss.alpha
    if alpha == "balanced" or (alpha is None and plan.loss.kind == "weighted"):
        import torch

        from ... import losses

        return tuple(losses.balanced_alpha(torch.from_numpy(counts).double()).tolist())
    target = description.predicts
    if alpha is not None and len(alpha) != target.channels:
        raise UsageError(
            f"recipe {plan.name}: loss.alpha holds {len(alpha)} numbers; expected {target.channels}:"
            f" {', '.join(target.planes)}. Fix the recipe."
        )
    return alpha


def _digest(task: _Task, first: dict | None, taught: dict | None) -> str:
    """Return a hash of everything that makes the weights."""
    parts = [
        task.plan.digest(),
        task.split.model_dump(),
        task.seed,
        task.data.fingerprint(),
        *([first] if first else []),
        *([{"teacher": taught}] if taught else []),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
