"""``polynya train``: label tables and a recipe to a calibrated network, its scores and its ONNX file.

torch is needed here and nowhere else in the package; it comes with the extra ``[train]``.
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

import numpy as np
from pydantic import ValidationError

from .. import __version__, calibrate, io, metrics, recipes, schema
from ..errors import OutputError, UsageError, one_line
from ..report import training as report
from ..samples import labelled_tracks, splits, track_windows

log = logging.getLogger("polynya.train")

CLASSES = tuple(schema.CLASS_NAMES[k] for k in range(3))
STATE = "state.safetensors"


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
        return splits.Config(method=method, train=train, validation=validation, calibration=calibration, test=test, block_km=block_km, gap_km=gap_km, seed=seed)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "shares"
        raise UsageError(f"split: {where}: {first['msg'].removeprefix('Value error, ')}; found {str(first['input'])[:80]}. Change it.") from error


def run(
    recipe: str | Path, *, data: Sequence[Path | str], out: Path | str, split: splits.Config | None = None, seed: int = 0, epochs: int | None = None,
    also: Sequence[Path | str] = (), resume: bool = False, overwrite: bool = False, device: str = "auto", threads: int = 0, show_progress: bool = False,
) -> Result:
    """Train, calibrate, score, export.

    Parameters
    ----------
    recipe : str or Path
        Name of a recipe, or a YAML file.
    data : sequence of Path or str
        Label tables, or folders of them.
    also : sequence of Path or str
        Label tables that are trained on whatever the split, and in no other part.
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
        Of a process on the CPU; 0 takes one for window networks, whose steps are too small to share, and torch's own number
        (a core each) for others.
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

    from .. import train

    out, plan = Path(out), recipes.load(recipe, epochs=epochs)
    split = split or splits.Config()
    description = _network(plan)
    processes = train.start(device)
    usual = torch.get_num_threads()
    torch.set_num_threads(threads or (1 if description["kind"] == "window" else usual))
    try:
        done = _claim(out, asked={"recipe": plan.as_dict(), "split": split.model_dump(), "seed": seed}, resume=resume, overwrite=overwrite)
        if done is not None:
            return replace(done, is_leader=processes.rank == 0)
        result = _run(plan, description, data=data, also=also, out=out, split=split, seed=seed, overwrite=overwrite, processes=processes, show_progress=show_progress)
        processes.wait()  # the others wait until the leader has written
        return result
    finally:
        torch.set_num_threads(usual)
        train.stop(processes)


def need_torch() -> None:
    """Raise UsageError where torch or onnx is not installed."""
    missing = [n for n in ("torch", "onnx") if importlib.util.find_spec(n) is None]
    if missing:
        raise UsageError(f"train: {' and '.join(missing)} cannot be imported; expected the extra [train]. pip install 'polynya[train]' (freeboard needs neither).")


def _claim(out: Path, *, asked: dict[str, object], resume: bool, overwrite: bool) -> Result | None:
    """Look at what the folder holds; return the finished training where one is to be gone on with."""
    if (out / "run.json").exists() and not overwrite:
        if not resume:
            raise UsageError(f"{out}: holds a finished training; expected an empty folder. Choose another with -o, or pass --overwrite.")
        record = io.read_json(out / "run.json")
        held = {**record["config"], "seed": record["seed"]}
        other = [k for k, v in asked.items() if _without_text(held.get(k)) != _without_text(io.plain(v))]
        if other:
            raise UsageError(f"{out}: holds a finished training of another {' and '.join(other)}; expected the one asked for. Choose another folder with -o, or pass --overwrite.")
        return Result(out, {k: out / v for k, v in record["outputs"].items()}, record["numbers"])
    if (out / STATE).exists() and not (resume or overwrite):
        raise UsageError(f"{out}: holds a training that was stopped; expected to know what to do with it. --resume goes on, --overwrite begins anew.")
    return None


def _without_text(settings: object) -> object:
    """Leave out the recipe's text about itself, which makes no weights."""
    return {k: v for k, v in settings.items() if k != "about"} if isinstance(settings, dict) else settings


def _network(plan: recipes.Recipe) -> dict[str, object]:
    """Return what the recipe says of its network, its settings checked and complete."""
    from .. import checkpoint

    name = str(plan.model.get("name", ""))
    module = checkpoint.architecture(name)
    try:
        config = module.Config(**{k: v for k, v in plan.model.items() if k != "name"}, features=plan.features)
    except (ValidationError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise UsageError(f"recipe {plan.name}: model.{'.'.join(map(str, first['loc']))}: {first['msg']}; expected the settings of polynya.models.{name}. Mend the recipe.") from error
    settings = json.loads(config.model_dump_json())
    settings.pop("features")
    stride, halo = int(getattr(config, "stride", 1)), int(getattr(config, "halo", 0))
    if module.KIND == "window" and (plan.samples.mirror or plan.samples.jitter):
        raise UsageError(f"recipe {plan.name}: samples.mirror and samples.jitter are for sequence networks; found the window network {name}. Leave them out.")
    if module.KIND == "sequence" and plan.samples.length % stride:
        raise UsageError(f"recipe {plan.name}: samples.length {plan.samples.length} is no multiple of the network's stride {stride}; expected one. Take {stride * max(1, round(plan.samples.length / stride))}.")
    return {
        "name": plan.name, "kind": module.KIND, "model": {"name": name, **settings}, "features": list(plan.features), "classes": list(CLASSES),
        "cell_m": labelled_tracks.RESOLUTION_M, "gap_m": plan.samples.gap_m, "window_length": int(settings.get("length", 1)), "stride": stride, "halo": halo, "separation": getattr(config, "separation", None),
    }


def _run(plan, description, *, data, also, out, split, seed, overwrite, processes, show_progress) -> Result:
    import torch

    from .. import checkpoint, train

    leads = processes.rank == 0
    tracks = labelled_tracks.read([*data, *also], features=plan.features)
    parts = splits.split(tracks.group[tracks.granule], tracks.x, config=split)
    if also:
        parts = _with_also(tracks, parts, split, names=labelled_tracks.read(also, features=plan.features[:1]).granules)
    seen = (parts.part == splits.TRAIN) & (tracks.targets != labelled_tracks.UNKNOWN)
    if not seen.any():
        raise UsageError("train: no segment of the training part is labelled; expected some. Label more granules, or change the split.")
    scaling = labelled_tracks.fit_scaling(tracks.values[parts.part == splits.TRAIN])
    inputs = scaling.apply(tracks.values)
    description |= {"mean": scaling.mean, "std": scaling.std, "limit": scaling.limit}

    def source(part: int, *, is_judged: bool):
        balance = plan.samples.balance
        weights = None if is_judged else labelled_tracks.sampling_weights(tracks, split=parts, part=part, by_class=balance in ("class", "both"), by_beam=balance in ("beam", "both"), emphasis=_emphasis(plan))
        options = {"inputs": inputs, "split": parts, "part": part, "weights": weights}
        if description["kind"] == "window":
            return track_windows.WindowSource(tracks, length=description["window_length"], fill_edges=is_judged, **options)
        return track_windows.SequenceSource(tracks, length=plan.samples.length, gap_m=plan.samples.gap_m, halo=description["halo"], stride=description["stride"],
                                          separation=description["separation"], jitter=() if is_judged else _jitter(plan, scaling), mirror=plan.samples.mirror and not is_judged, **options)

    alpha = _alpha(plan, tracks.targets[seen])
    digest = _digest(plan, split, seed, tracks, scaling)
    processes.wait()  # until every process has looked at the folder
    if leads:
        _prepare(out, is_anew=overwrite)
    processes.wait()
    torch.manual_seed(seed)
    model = checkpoint.build(description)
    with _progress(plan.epochs, show=show_progress and leads) as (on_step, on_epoch):
        def finish_epoch(history: list[dict]) -> None:
            on_epoch(history[-1])
            if leads:
                io.write_json({"recipe": plan.name, "epochs": plan.epochs, "history": history}, out / "history.json")

        fitted = train.fit(
            model, train=source(splits.TRAIN, is_judged=False), validation=source(splits.VALIDATION, is_judged=True), recipe=plan, seed=seed, alpha=alpha,
            state=out / STATE, digest=digest, processes=processes, on_step=on_step, on_epoch=finish_epoch,
        )
    if not leads:
        return Result(out, {}, {}, is_leader=False)
    model.load_state_dict(fitted.weights)
    model.to("cpu")

    def judged(part: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return train.logits(model.to(processes.device), source(part, is_judged=True), batch=plan.batch, device=processes.device)

    fit_part = splits.CALIBRATION if split.calibration > 0 else splits.VALIDATION
    raw, targets, _ = judged(fit_part)
    calibration = calibrate.fit(raw, targets, method=plan.calibration)
    weights = (1.0,) * len(CLASSES)
    if plan.decision == "macro_f1":
        weights = calibrate.fit_decision(calibration.probabilities(raw), labelled_tracks.classes_of(targets))
    score_part = splits.TEST if split.test > 0 else fit_part
    raw, targets, where = judged(score_part)
    scored = _scores(raw, targets, strong=tracks.is_strong[where], calibration=calibration, weights=weights)
    numbers = {
        "epoch": fitted.epoch, "epochs": len(fitted.history), "part": splits.PARTS[score_part], "calibrated_on": splits.PARTS[fit_part],
        "is_leaky": parts.is_leaky, **scored, "parameters": sum(p.numel() for p in model.parameters()),
    }
    about = _data(tracks, parts, split)
    description |= {
        "calibration": calibration.as_dict(), "temperature": calibration.temperature, "decision_weights": weights, "recipe": plan.as_dict(), "seed": seed,
        "data": about, "metrics": {k: v for k, v in numbers.items() if k != "reliability"}, "polynya": __version__, "torch": torch.__version__, "numpy": np.__version__,
    }
    saved = checkpoint.save(out, network=model.to("cpu"), description=description)
    numbers["onnx_parity"] = saved.parity
    record = io.run_record(
        command=io.command_line(), config={"recipe": plan.as_dict(), "split": split.model_dump()}, inputs=about["tables"], seed=seed, numbers=numbers, digest=digest,
        data={k: v for k, v in about.items() if k != "tables"}, device=str(processes.device), processes=processes.size,
        outputs={"onnx": saved.onnx.name, "weights": saved.weights.name, "description": saved.description.name, "history": "history.json", "report": "report.html", "run": "run.json"},
    )
    report.write(out / "report.html", plan=plan.as_dict(), description=description, history=fitted.history, numbers=numbers, split=parts.describe())
    io.write_json(record, out / "run.json")  # last: a training is done when this is there
    (out / STATE).unlink(missing_ok=True)
    return Result(out, {k: out / v for k, v in record["outputs"].items()}, numbers)


def _with_also(tracks: labelled_tracks.Tracks, parts: splits.Split, split: splits.Config, *, names: Sequence[str]) -> splits.Split:
    """Put the granules of ``--also`` into the training part and count the groups of each part again."""
    codes = np.array([tracks.granules.index(n) for n in names])
    others = np.setdiff1d(np.arange(len(tracks.granules)), codes)
    both = np.intersect1d(tracks.group[codes], tracks.group[others])
    if both.size and not parts.is_leaky:
        one, two = (next(tracks.granules[g] for g in side if tracks.group[g] == both[0]) for side in (codes, others))
        raise UsageError(f"--also: {one} shows the same ice as {two} of --data (they name one source); expected ice that no other part may see. Give both with --data, or both with --also.")
    part = np.where(np.isin(tracks.granule, codes), np.int8(splits.TRAIN), parts.part)
    unit = tracks.group[tracks.granule].astype(np.int64)
    if split.method == "block":
        unit = (unit << 32) + np.floor(tracks.x / (1000.0 * split.block_km)).astype(np.int64)
    groups = (np.count_nonzero(part == k) if split.method == "random" else np.unique(unit[part == k]).size for k in range(len(splits.PARTS)))
    return replace(parts, part=part, groups=tuple(int(n) for n in groups))


def _emphasis(plan: recipes.Recipe) -> tuple[tuple[int, int, float], ...]:
    """Return the recipe's emphasis in codes."""
    sources, labels = {n: k for k, n in schema.LABEL_SOURCES}, {n: k for k, n in schema.LABEL_CLASSES}
    return tuple((sources[e.source], labelled_tracks.ADMISSIBLE.get(labels[e.label], labelled_tracks.UNKNOWN), e.times) for e in plan.samples.emphasis)


def _jitter(plan: recipes.Recipe, scaling: labelled_tracks.Scaling) -> tuple[track_windows.Shift, ...]:
    """Return the recipe's constants in the scaled features' units."""
    directed = [f for f in plan.features if f.endswith("_change")]
    if plan.samples.mirror and directed:
        raise UsageError(f"recipe {plan.name}: samples.mirror with the features {directed}; expected none that knows a direction. Leave them or the mirror out.")
    out = []
    for jitter in plan.samples.jitter:
        unknown = [f for f in jitter.features if f not in plan.features]
        if unknown:
            raise UsageError(f"recipe {plan.name}: samples.jitter names {unknown}; expected features of the recipe. Mend the recipe.")
        columns = tuple(plan.features.index(f) for f in jitter.features)
        out.append(track_windows.Shift(columns, tuple(jitter.sd / scaling.std[c] for c in columns), jitter.chance))
    return tuple(out)


def _prepare(out: Path, *, is_anew: bool) -> None:
    """Make the folder; beginning anew removes the files of an earlier training and nothing else."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if is_anew:
            for name in ("run.json", STATE, "history.json", "report.html"):  # run.json first: without it nothing counts as done
                (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({one_line(error)}); expected a folder with room and write permission. Choose another with -o.") from error


def _alpha(plan: recipes.Recipe, targets: np.ndarray) -> tuple[float, ...] | None:
    """Return the loss's class weights; balanced ones from the ordinary labels of the training part."""
    alpha = plan.loss.alpha
    if alpha == "balanced" or (alpha is None and plan.loss.kind == "weighted"):
        import torch

        from .. import losses

        classes = labelled_tracks.classes_of(targets)
        counts = np.bincount(classes[classes >= 0], minlength=len(CLASSES))
        return tuple(losses.balanced_alpha(torch.from_numpy(counts).double()).tolist())
    if alpha is not None and len(alpha) != len(CLASSES):
        raise UsageError(f"recipe {plan.name}: loss.alpha holds {len(alpha)} numbers; expected {len(CLASSES)}: {', '.join(CLASSES)}. Mend the recipe.")
    return alpha


def _digest(plan: recipes.Recipe, split: splits.Config, seed: int, tracks: labelled_tracks.Tracks, scaling: labelled_tracks.Scaling) -> str:
    """Return a hash of everything that makes the weights."""
    h = hashlib.sha256(json.dumps([plan.digest(), split.model_dump(), seed, list(tracks.granules), asdict(scaling)], sort_keys=True).encode())
    for column in (tracks.x, tracks.targets, tracks.values):
        h.update(np.ascontiguousarray(column))
    return h.hexdigest()[:16]


def _scores(raw: np.ndarray, targets: np.ndarray, *, strong: np.ndarray, calibration: calibrate.Calibration, weights: tuple[float, ...]) -> dict[str, object]:
    """Score the judging part: classes, probabilities before and after calibration, ice against water where thickness is unknown."""
    if len(raw) == 0:
        raise UsageError("test: the part holds no labelled segment; expected some. Label more granules, or change the split.")
    truth = labelled_tracks.classes_of(targets)
    before, after = calibrate.fit(raw, targets, method="none").probabilities(raw), calibration.probabilities(raw)
    called = np.argmax(after * np.asarray(weights), axis=1)
    c = metrics.confusion(truth, called)
    two = metrics.merge_ice(c) + _any_ice(targets, called)
    with np.errstate(invalid="ignore"):
        out = {
            "n": int(c.sum()), "n_ice_of_unknown_thickness": int(np.count_nonzero(targets == 0b011)), "macro_f1": float(metrics.macro_f1(c)), "f1": metrics.f1(c).tolist(),
            "recall": metrics.recall(c).tolist(), "precision": metrics.precision(c).tolist(), "confusion": c.tolist(), "accuracy": float(metrics.accuracy(c)),
            "majority_accuracy": float(metrics.majority_accuracy(c)), "majority_macro_f1": _majority_macro_f1(c),
            "most_probable_macro_f1": float(metrics.macro_f1(metrics.confusion(truth, np.argmax(after, axis=1)))),
            "water_recall": float(metrics.recall(two)[2]), "water_precision": float(metrics.precision(two)[2]),
        }
    table = {}
    for name, mine in (("all", np.ones(len(raw), bool)), ("strong", strong), ("weak", ~strong)):
        if mine.any():
            table[name] = {
                when: [{k: v for k, v in asdict(s).items() if k != "reliability"} for s in calibrate.scores(p[mine], truth[mine], names=CLASSES)]
                for when, p in (("before", before), ("after", after))
            }
    out["calibration"] = table
    out["reliability"] = {when: [asdict(s) for s in calibrate.scores(p, truth, names=CLASSES)] for when, p in (("before", before), ("after", after))}
    return out


def _any_ice(targets: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Return a (3, 4) matrix of the segments known to be ice of unknown thickness, called ice or water."""
    mine = called[targets == 0b011]
    out = np.zeros((3, 4))
    out[0, 0], out[0, 2] = np.count_nonzero(mine != 2), np.count_nonzero(mine == 2)
    return out


def _majority_macro_f1(c: np.ndarray) -> float:
    """Macro-F1 of always saying the most frequent class."""
    n = metrics.support(c)
    always = np.zeros_like(c)
    always[:, int(np.argmax(n))] = n
    return float(metrics.macro_f1(always))


def _data(tracks: labelled_tracks.Tracks, parts: splits.Split, split: splits.Config) -> dict[str, object]:
    """Return what the network was trained on: counts, parts, and what each table says of itself."""
    classes = labelled_tracks.classes_of(tracks.targets)
    per_part = {}
    for k, name in enumerate(splits.PARTS):
        mine = parts.part == k
        per_part[name] = {c: int(np.count_nonzero(classes[mine] == v)) for v, c in enumerate(CLASSES)} | {"ice_thick_or_thin": int(np.count_nonzero(tracks.targets[mine] == 0b011))}
    granule_parts = None
    if split.method == "granule":
        first = np.unique(tracks.granule, return_index=True)[1]
        granule_parts = {tracks.granules[tracks.granule[i]]: splits.PARTS[parts.part[i]] for i in first.tolist()}
    return {
        "granules": len(tracks.granules), "segments": len(tracks), "labelled": int(np.count_nonzero(tracks.targets)), "strong_share": float(tracks.is_strong.mean()),
        "labels": per_part, "split": {**split.model_dump(), **parts.describe()}, "granule_parts": granule_parts,
        "tables": [{k: Path(v).name if k == "scene" else v for k, v in t.items()} for t in tracks.about],  # a network is given away: no path of this machine
    }


@contextlib.contextmanager
def _progress(epochs: int, *, show: bool) -> Iterator[tuple]:
    """Yield what to call after each step and each epoch: a bar and a line on stderr, or nothing."""
    if not show:
        yield (lambda epoch, share: None), (lambda row: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("epoch {task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("1", total=float(epochs))

        def on_step(epoch: int, share: float) -> None:
            bar.update(task, completed=epoch - 1 + share, description=f"{epoch}/{epochs}")

        def on_epoch(row: dict) -> None:
            recall = " ".join("-" if not np.isfinite(r) else f"{r:.2f}" for r in row["recall"])
            bar.console.print(f"epoch {row['epoch']:3d}  loss {row['train_loss']:.4f}  validation {row['validation_loss']:.4f}  macro-F1 {row['macro_f1']:.3f}  recall {recall}  ({row['seconds']:.0f} s)", highlight=False, soft_wrap=True)

        yield on_step, on_epoch
