"""The one training loop: batches of (inputs, targets) from a source, a network, a loss; tracks or scenes alike.

Random numbers are drawn anew from (seed, epoch), so a training that was killed and goes on from its last whole epoch
ends with the same weights, bit for bit on one CPU, as one that ran through. Under torchrun each process takes its share
of every batch and the loss is divided by the labelled samples of the whole batch: two processes follow the same curve
as one. (Dropout masks differ between processes, and batch normalisation would see shares only: with dropout the curves
agree in the mean, not in digits.)
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from . import checkpoint, losses, metrics
from .errors import PolynyaError, UsageError
from .recipes import Optimiser, Recipe


class Source(Protocol):
    """Where samples come from: windows, stretches of track, tiles of a scene."""

    def plan(self, rng: np.random.Generator | None) -> np.ndarray:
        """Return an epoch's samples, mixed with a generator, else all in order."""

    def batch(self, items: np.ndarray) -> object:
        """Return an object with ``inputs``, ``targets`` (bits of admissible classes) and ``where``, numpy arrays."""


@dataclass(frozen=True)
class Processes:
    """This process among those that torchrun started; one of one without."""

    rank: int
    size: int
    device: torch.device

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over processes."""
        if self.size == 1:
            return values
        there = values.to(self.device)
        dist.all_reduce(there)
        return there.to(values.device)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()


@dataclass(frozen=True)
class Fitted:
    """What a training gives.

    Attributes
    ----------
    weights : dict of str to Tensor
        Of the epoch that is kept, on the CPU.
    epoch : int
        That epoch, from 1.
    history : list of dict
        A row an epoch: ``epoch``, ``rate``, ``train_loss``, ``validation_loss``, ``macro_f1``, ``recall`` (a class
        each), ``samples``, ``seconds``.
    """

    weights: dict[str, Tensor]
    epoch: int
    history: list[dict[str, object]]


def start(device: str = "auto") -> Processes:
    """Join the processes of torchrun, if there are any, and choose the device.

    Parameters
    ----------
    device : str
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.

    Raises
    ------
    UsageError
        If the device is not there.
    """
    size, rank, local = (
        int(os.environ.get(n, d)) for n, d in (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0"))
    )
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        device = "cuda" if found >= max(1, min(size, local + 1)) else "cpu"
    try:
        chosen = torch.device(f"cuda:{local}" if device == "cuda" else device)
    except RuntimeError as error:
        raise UsageError(
            f"--device {device}: no such device; expected auto, cpu, cuda or cuda:N. Change it."
        ) from error
    if chosen.type not in ("cpu", "cuda") or (chosen.type == "cuda" and (chosen.index or 0) >= found):
        raise UsageError(
            f"--device {device}: found {found} GPUs that torch can use; expected one for each process. Take --device"
            " cpu, or fewer processes."
        )
    if size > 1 and not dist.is_initialized():
        # DDP imports this. Imported while a group exists, it keeps the group, and so gloo's threads, past `stop`; one
        # that is
        # still freeing a tensor when the interpreter ends aborts the process after all work was done.
        from torch import _dynamo  # noqa: F401

        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return Processes(rank, size, chosen)


def with_precision(recipe: Recipe, device: torch.device) -> Recipe:
    """Return a recipe that says which products a training takes where it left the choice to the device."""
    if recipe.optimiser.precision != "auto":
        return recipe
    if device.type == "cuda":
        has_them = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has_them = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return recipe.model_copy(
        update={"optimiser": recipe.optimiser.model_copy(update={"precision": "bfloat16" if has_them else "float32"})}
    )


def stop(processes: Processes) -> None:
    """Leave the group of processes."""
    if processes.size > 1 and dist.is_initialized():
        dist.destroy_process_group()


def learning_rate(settings: Optimiser, progress: float) -> float:
    """Return the rate at a progress of 0 (first step) to 1 (the end of the last)."""
    top = settings.rate
    if settings.schedule == "onecycle":
        if progress < 0.3:
            return _between(top / 25.0, top, progress / 0.3)
        return _between(top, top / 1e4, (progress - 0.3) / 0.7)
    if settings.schedule == "restarts":  # a cosine between each two ends (Loshchilov and Hutter 2017, arXiv:1608.03983)
        ends = (0.0, *settings.restarts, 1.0)
        k = max(i for i, end in enumerate(ends[:-1]) if progress >= end - 1e-9)
        return _between(top, 0.0, (progress - ends[k]) / (ends[k + 1] - ends[k]))
    rise = min(1.0, progress / settings.warmup) if settings.warmup > 0 else 1.0
    if settings.schedule == "cosine":
        return rise * _between(top, 0.0, max(0.0, progress - settings.warmup) / (1.0 - settings.warmup))
    return rise * top


def _between(first: float, last: float, share: float) -> float:
    """Half a cosine from first to last."""
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * min(max(share, 0.0), 1.0)))


def fit(
    model: nn.Module,
    *,
    train: Source,
    validation: Source,
    recipe: Recipe,
    seed: int,
    alpha: tuple[float, ...] | None = None,
    state: Path | None = None,
    digest: str = "",
    processes: Processes | None = None,
    on_step: Callable[[int, float], None] | None = None,
    on_epoch: Callable[[list[dict]], None] | None = None,
) -> Fitted:
    """Train a network.

    Parameters
    ----------
    model : torch.nn.Module
        Inputs (batch, ...) to logits (batch, classes, ...); its weights are changed.
    train, validation : Source
        The validation part chooses the epoch and ends the training early; it is in no gradient.
    recipe : Recipe
        Loss, optimiser, batch, epochs and when to stop.
    seed : int
    alpha : tuple of float, optional
        Class weights of the loss.
    state : Path, optional
        Rewritten after every epoch; where it exists the training goes on from it.
    digest : str
        Of everything that makes the training; a state of another is refused.
    processes : Processes, optional
    on_step, on_epoch : callable, optional
        Called with (epoch, share of it done), and with the history after each epoch.

    Returns
    -------
    Fitted

    Raises
    ------
    UsageError
        If the state belongs to another training, or a part has no labelled sample.
    PolynyaError
        If the loss is not finite any more.
    """
    p = processes or Processes(0, 1, torch.device("cpu"))
    model.to(p.device)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimiser.kind]
    optimiser = kind(model.parameters(), lr=recipe.optimiser.rate, weight_decay=recipe.optimiser.weight_decay)
    judged = copy.deepcopy(model) if recipe.average else model
    weigh = {
        "kind": recipe.loss.kind,
        "gamma": recipe.loss.gamma,
        "smoothing": recipe.loss.smoothing,
        "alpha": None if alpha is None else torch.tensor(alpha, dtype=torch.float32, device=p.device),
    }
    history: list[dict[str, object]] = []
    best, best_epoch, steps = _copy(judged), 0, 0
    if state is not None and state.exists():
        held = checkpoint.load_state(state, digest=digest)
        model.load_state_dict(held.weights)
        optimiser.load_state_dict({"state": held.optimiser, "param_groups": optimiser.state_dict()["param_groups"]})
        if recipe.average:
            judged.load_state_dict(held.average)
        history, best, best_epoch, steps = held.history, held.best, held.best_epoch, held.steps
    parallel = (
        nn.parallel.DistributedDataParallel(model, device_ids=[p.device] if p.device.type == "cuda" else None)
        if p.size > 1
        else model
    )
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        if _is_enough(history, best_epoch, recipe):
            break
        began = time.perf_counter()
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch, p.rank]).generate_state(1)[0]))
        plan = train.plan(np.random.default_rng([seed, epoch]))[: recipe.samples.per_epoch]
        if len(plan) == 0:
            raise UsageError(
                "train: the training part holds no sample; expected labelled segments with whole windows. Label more,"
                " or change the split."
            )
        parallel.train()
        total = torch.zeros(2, dtype=torch.float64)
        for begin in range(0, len(plan), recipe.batch):
            rate = learning_rate(recipe.optimiser, (epoch - 1 + begin / len(plan)) / recipe.epochs)
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss, n = _batch_loss(parallel, train, plan[begin : begin + recipe.batch], p, weigh, recipe)
            count = p.sum(torch.tensor(float(n)))
            optimiser.zero_grad(set_to_none=True)
            (loss * (p.size / max(float(count), 1.0))).backward()  # DDP takes the mean over processes
            if recipe.optimiser.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.optimiser.clip_norm)
            optimiser.step()
            steps += 1
            if recipe.average:
                _move_average(judged, model, min(recipe.average, steps / (steps + 10.0)))
            total += torch.tensor([loss.item(), n], dtype=torch.float64)
            if on_step is not None:
                on_step(epoch, min(1.0, (begin + recipe.batch) / len(plan)))
        total = p.sum(total)
        row = {
            "epoch": epoch,
            "rate": rate,
            "train_loss": float(total[0] / total[1].clamp(min=1)),
            **_judge(judged, validation, recipe, p, weigh),
            "samples": int(total[1]),
        }
        row["seconds"] = time.perf_counter() - began
        if not math.isfinite(row["train_loss"]) or not math.isfinite(row["validation_loss"]):
            raise PolynyaError(
                f"epoch {epoch}: the loss is {row['train_loss']:g}; expected a finite number. Lower optimiser.rate, or"
                " set optimiser.clip_norm: 1."
            )
        history.append(row)
        if recipe.stop.keep == "last" or _is_better(
            row, history[best_epoch - 1] if best_epoch else None, recipe.stop.metric
        ):
            best, best_epoch = _copy(judged), epoch
        if state is not None and p.rank == 0:
            checkpoint.save_state(
                state,
                checkpoint.State(
                    _copy(model),
                    optimiser.state_dict()["state"],
                    _copy(judged) if recipe.average else {},
                    best,
                    best_epoch,
                    steps,
                    history,
                ),
                digest=digest,
            )
        if on_epoch is not None:
            on_epoch(history)
    return Fitted(best, best_epoch, history)


MOST_JUDGED = 30_000_000
"""Samples of a part that are kept in memory to calibrate and to score with; of more, evenly some."""


def logits(
    model: nn.Module, source: Source, *, batch: int, device: torch.device | str = "cpu", most: int = MOST_JUDGED
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the logits of the labelled samples of a source.

    Parameters
    ----------
    model : torch.nn.Module
    source : Source
    batch : int
    device : torch.device or str
    most : int
        Where there are more samples, labelled or not, every second, third ... labelled one is taken.

    Returns
    -------
    logits : numpy.ndarray of float32, shape (n, classes)
    targets : numpy.ndarray of uint8, shape (n,)
    where : numpy.ndarray of int64, shape (n,)
        What the source says of each, the row in the tracks.
    """
    plan, found, step, seen = source.plan(None), [], 0, 0
    for out, targets, where, size in _judged_batches(model, source, plan, batch, torch.device(device)):
        step = step or max(1, math.ceil(len(plan) * size / most))
        found.append(tuple(part[(-seen) % step :: step] for part in (out, targets, where)))
        seen += len(targets)
    if not found:
        return np.zeros((0, 0), np.float32), np.zeros(0, np.uint8), np.zeros(0, np.int64)
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def _judged_batches(model, source, plan, batch, device):
    model.eval()
    with torch.inference_mode():
        for begin in range(0, len(plan), batch):
            b = source.batch(plan[begin : begin + batch])
            out = model(torch.from_numpy(b.inputs).to(device)).movedim(1, -1).cpu().numpy()
            labelled = b.targets != 0
            yield out[labelled], b.targets[labelled], b.where[labelled], b.targets[0].size


def _batch_loss(
    model: nn.Module, source: Source, items: np.ndarray, p: Processes, weigh: dict, recipe: Recipe
) -> tuple[Tensor, int]:
    """Return the summed loss of this process's share of a batch, and its labelled samples.

    A network with deep supervision returns its logits and auxiliary ones; their loss counts ``loss.auxiliary`` times.
    """
    mine = items[p.rank :: p.size]
    b = source.batch(mine if len(mine) else items[:1])  # a process without a share still has to take part
    targets = torch.from_numpy(b.targets).to(p.device)
    if not len(mine):
        targets = torch.zeros_like(targets)
    with torch.autocast(p.device.type, torch.bfloat16, enabled=recipe.optimiser.precision == "bfloat16"):
        answer = model(torch.from_numpy(b.inputs).to(p.device, non_blocking=True))
    first, *more = (part.float() for part in (answer if isinstance(answer, tuple) else (answer,)))
    loss = losses.sample_losses(first.movedim(1, -1), targets, **weigh).sum()
    for other in more:
        loss = loss + recipe.loss.auxiliary * losses.sample_losses(other.movedim(1, -1), targets, **weigh).sum()
    return loss, int((targets != 0).sum())


def _judge(model: nn.Module, source: Source, recipe: Recipe, p: Processes, weigh: dict) -> dict[str, object]:
    """Return loss, macro-F1 and recalls of the validation part, each process judging its share."""
    plan = source.plan(None)
    sums, confusion = torch.zeros(2, dtype=torch.float64), np.zeros((1, 1))
    for out, targets, _, _ in _judged_batches(model, source, plan[p.rank :: p.size], max(1, recipe.batch), p.device):
        loss = losses.sample_losses(
            torch.from_numpy(out),
            torch.from_numpy(targets),
            **{**weigh, "alpha": None if weigh["alpha"] is None else weigh["alpha"].cpu()},
        )
        sums += torch.tensor([float(loss.double().sum()), len(targets)], dtype=torch.float64)
        confusion = confusion + metrics.confusion(
            _single(targets, out.shape[1]), out.argmax(axis=1), n_classes=out.shape[1]
        )
    if len(confusion) == 1:  # this process had no share; the others' matrices are as large as their classes
        confusion = np.zeros((recipe.n_classes, recipe.n_classes + 1))
    sums, confusion = p.sum(sums), p.sum(torch.from_numpy(confusion)).numpy()
    if float(sums[1]) == 0:
        raise UsageError("validation: the part holds no label; expected some. Label more, or change the split.")
    with np.errstate(invalid="ignore"):
        return {
            "validation_loss": float(sums[0] / sums[1]),
            "macro_f1": float(metrics.macro_f1(confusion)),
            "recall": metrics.recall(confusion).tolist(),
            "iou": metrics.iou(confusion).tolist(),
        }


def _single(targets: np.ndarray, classes: int) -> np.ndarray:
    out = np.full(targets.shape, -1, np.int64)
    for k in range(classes):
        out[targets == 1 << k] = k
    return out


def _is_better(row: dict, best: dict | None, metric: str) -> bool:
    if best is None:
        return True
    if metric == "iou":  # of the last class: the glacier
        return np.nan_to_num(row["iou"][-1]) > np.nan_to_num(best["iou"][-1])
    return (
        row["macro_f1"] > best["macro_f1"] if metric == "macro_f1" else row["validation_loss"] < best["validation_loss"]
    )


def _is_enough(history: list[dict], best_epoch: int, recipe: Recipe) -> bool:
    """True where the metric has not improved for the recipe's patience."""
    if recipe.stop.patience is None or not history:
        return False
    top = 0
    for k, row in enumerate(history):
        if _is_better(row, history[top] if k else None, recipe.stop.metric):
            top = k
    return len(history) - 1 - top >= recipe.stop.patience


def _move_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for a, w in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            if a.is_floating_point():
                a.lerp_(w, 1.0 - decay)
            else:
                a.copy_(w)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().to("cpu", copy=True) for k, v in model.state_dict().items()}
