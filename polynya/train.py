"""The one training loop: batches of (inputs, targets) from a source, a network, a target; every family alike.

Random numbers are drawn anew from (seed, epoch), so a training that was killed and resumes from its last whole epoch
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from . import checkpoint, losses
from .errors import PolynyaError, UsageError
from .recipes import Recipe
from .recipes.rates import learning_rate
from .targets.protocol import Target, Weighting


class Source(Protocol):
    """Where samples come from: windows, stretches of track, tiles of a scene."""

    def plan(self, rng: np.random.Generator | None) -> np.ndarray:
        """Return an epoch's samples, mixed with a generator, else all in order."""

    def batch(self, items: np.ndarray) -> object:
        """Return an object with ``inputs``, ``targets`` (encoded labels) and ``where``, numpy arrays; ``inputs`` may be
        a tuple of arrays, one for each argument of the network."""


@dataclass(frozen=True, kw_only=True)
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


ALONE = Processes(rank=0, size=1, device=torch.device("cpu"))


@dataclass(frozen=True, kw_only=True)
class Training:
    """What makes a training, beside the network and its samples.

    Attributes
    ----------
    recipe : Recipe
        Loss, optimiser, batch, epochs and when to stop.
    target : target
        What is predicted (:mod:`polynya.targets`).
    seed : int
        Of order and dropout.
    alpha : tuple of float or None
        Class weights of the loss.
    state : Path or None
        Rewritten after every epoch; where it exists the training resumes from it.
    digest : str
        Of everything that makes the training; a state of another is rejected.
    processes : Processes
    teacher : torch.nn.Module or None
        A trained network of the same inputs and classes, whose answers are part of the loss.
    on_step, on_epoch : callable or None
        Called with (epoch, share of it done), and with the history after each epoch.
    """

    recipe: Recipe
    target: Target
    seed: int
    alpha: tuple[float, ...] | None = None
    state: Path | None = None
    digest: str = ""
    processes: Processes = ALONE
    teacher: nn.Module | None = None
    on_step: Callable[[int, float], None] | None = None
    on_epoch: Callable[[list[dict]], None] | None = None

    @property
    def weighting(self) -> Weighting:
        """How the loss weighs samples."""
        loss = self.recipe.loss
        return Weighting(kind=loss.kind, gamma=loss.gamma, smoothing=loss.smoothing, alpha=self.alpha)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training gives.

    Attributes
    ----------
    weights : dict of str to Tensor
        Of the epoch that is kept, on the CPU.
    epoch : int
        That epoch, from 1.
    history : list of dict
        One row per epoch: ``epoch``, ``rate``, ``train_loss``, ``validation_loss``, the target's scores, ``samples``,
        ``seconds``.
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
        # that is still freeing a tensor when the interpreter ends aborts the process after all work was done.
        from torch import _dynamo  # noqa: F401

        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return Processes(rank=rank, size=size, device=chosen)


def with_precision(recipe: Recipe, device: torch.device) -> Recipe:
    """Return a recipe that states the precision of a training, where it left the choice to the device.

    Parameters
    ----------
    recipe : Recipe
        With any precision.
    device : torch.device
        Where the network is trained.
    """
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


@dataclass
class _Progress:
    """What changes from epoch to epoch."""

    model: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    best: dict[str, Tensor]
    best_epoch: int = 0
    steps: int = 0
    history: list[dict[str, object]] = field(default_factory=list)


def fit(model: nn.Module, *, train: Source, validation: Source, training: Training) -> Trained:
    """Train a network.

    Parameters
    ----------
    model : torch.nn.Module
        Inputs (batch, ...) to outputs (batch, channels, ...); its weights are changed.
    train, validation : Source
        The validation part chooses the epoch and ends the training early; it is in no gradient.
    training : Training
        What makes the training.

    Returns
    -------
    Trained

    Raises
    ------
    UsageError
        If the state belongs to another training, or a part has no labelled sample.
    PolynyaError
        If the loss is not finite any more.
    """
    t, p = training, training.processes
    run = _start(model, t)
    parallel: nn.Module = model
    if p.size > 1:
        parallel = nn.parallel.DistributedDataParallel(
            model, device_ids=[p.device] if p.device.type == "cuda" else None
        )
    for epoch in range(len(run.history) + 1, t.recipe.epochs + 1):
        if _is_enough(run, t):
            break
        began = time.perf_counter()
        row = _train_epoch(parallel, train, run, t, epoch=epoch)
        n = row.pop("samples")
        row |= {**_validate(run.average, validation, t), "samples": n}
        row["seconds"] = time.perf_counter() - began
        if not math.isfinite(row["train_loss"]) or not math.isfinite(row["validation_loss"]):
            raise PolynyaError(
                f"epoch {epoch}: the loss is {row['train_loss']:g}; expected a finite number. Lower optimiser.rate, or"
                " set optimiser.clip_norm: 1."
            )
        run.history.append(row)
        stop = t.recipe.stop
        best = run.history[run.best_epoch - 1] if run.best_epoch else None
        if stop.keep == "last" or _is_better(row, best, t):
            run.best, run.best_epoch = _copy(run.average), epoch
        if t.state is not None and p.rank == 0:
            _save(run, t)
        if t.on_epoch is not None:
            t.on_epoch(run.history)
    return Trained(weights=run.best, epoch=run.best_epoch, history=run.history)


def _start(model: nn.Module, t: Training) -> _Progress:
    """Return the beginning of a training, or where its state left it."""
    model.to(t.processes.device)
    settings = t.recipe.optimiser
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.kind]
    optimiser = kind(model.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    average = copy.deepcopy(model) if t.recipe.average else model
    run = _Progress(model, average, optimiser, _copy(average))
    if t.state is not None and t.state.exists():
        held = checkpoint.load_state(t.state, digest=t.digest)
        model.load_state_dict(held.weights)
        optimiser.load_state_dict({"state": held.optimiser, "param_groups": optimiser.state_dict()["param_groups"]})
        if t.recipe.average:
            average.load_state_dict(held.average)
        run.history, run.best, run.best_epoch, run.steps = held.history, held.best, held.best_epoch, held.steps
    return run


def _train_epoch(parallel: nn.Module, source: Source, run: _Progress, t: Training, *, epoch: int) -> dict:
    """Go through the samples once; return the epoch's rate, mean loss and labelled samples."""
    recipe, p = t.recipe, t.processes
    torch.manual_seed(int(np.random.SeedSequence([t.seed, epoch, p.rank]).generate_state(1)[0]))
    plan = source.plan(np.random.default_rng([t.seed, epoch]))[: recipe.samples.per_epoch]
    if len(plan) == 0:
        raise UsageError(
            "train: the training part holds no sample; expected labelled segments with whole windows. Label more,"
            " or change the split."
        )
    parallel.train()
    total = torch.zeros(2, dtype=torch.float64)
    for begin in range(0, len(plan), recipe.batch):
        rate = learning_rate(recipe.optimiser, (epoch - 1 + begin / len(plan)) / recipe.epochs)
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        loss, n = _batch_loss(parallel, source, plan[begin : begin + recipe.batch], t)
        count = p.sum(torch.tensor(float(n)))
        run.optimiser.zero_grad(set_to_none=True)
        (loss * (p.size / max(float(count), 1.0))).backward()  # DDP takes the mean over processes
        if recipe.optimiser.clip_norm is not None:
            nn.utils.clip_grad_norm_(run.model.parameters(), recipe.optimiser.clip_norm)
        run.optimiser.step()
        run.steps += 1
        if recipe.average:
            _move_average(run.average, run.model, min(recipe.average, run.steps / (run.steps + 10.0)))
        total += torch.tensor([loss.item(), n], dtype=torch.float64)
        if t.on_step is not None:
            t.on_step(epoch, min(1.0, (begin + recipe.batch) / len(plan)))
    total = p.sum(total)
    return {
        "epoch": epoch,
        "rate": rate,
        "train_loss": float(total[0] / total[1].clamp(min=1)),
        "samples": int(total[1]),
    }


def _save(run: _Progress, t: Training) -> None:
    state = checkpoint.State(
        weights=_copy(run.model),
        optimiser=run.optimiser.state_dict()["state"],
        average=_copy(run.average) if t.recipe.average else {},
        best=run.best,
        best_epoch=run.best_epoch,
        steps=run.steps,
        history=run.history,
    )
    checkpoint.save_state(t.state, state, digest=t.digest)


MOST_SCORED = 30_000_000
"""Samples of a part that are kept in memory to calibrate and to score with; of more, evenly some."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a network gives for labelled samples.

    Attributes
    ----------
    outputs : numpy.ndarray of float32, shape (n, channels)
        Before calibration (of classes: logits).
    targets : numpy.ndarray, shape (n,)
        Encoded labels.
    where : numpy.ndarray of int64, shape (n,)
        What the source says of each, the row in the tracks.
    """

    outputs: np.ndarray
    targets: np.ndarray
    where: np.ndarray


def outputs(
    model: nn.Module,
    source: Source,
    *,
    target: Target,
    batch: int,
    device: torch.device | str = "cpu",
    most: int = MOST_SCORED,
) -> Outputs:
    """Return what a network gives for the labelled samples of a source.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    source : Source
        Where the samples come from.
    target : target
        What is predicted.
    batch : int
        Samples per call.
    device : torch.device or str
        Where the network is.
    most : int
        Where there are more samples, labelled or not, every second, third ... labelled one is taken.

    Returns
    -------
    Outputs
    """
    plan, found, step, seen = source.plan(None), [], 0, 0
    for out, targets, where, size in _scored_batches(model, source, plan, target, batch, torch.device(device)):
        step = step or max(1, math.ceil(len(plan) * size / most))
        found.append(tuple(part[(-seen) % step :: step] for part in (out, targets, where)))
        seen += len(targets)
    if not found:
        return Outputs(
            outputs=np.zeros((0, target.channels), np.float32),
            targets=target.nothing((0,)),
            where=np.zeros(0, np.int64),
        )
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    return Outputs(outputs=columns[0], targets=columns[1], where=columns[2])


def _scored_batches(
    model: nn.Module, source: Source, plan: np.ndarray, target: Target, batch: int, device: torch.device
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    model.eval()
    with torch.inference_mode():
        for begin in range(0, len(plan), batch):
            b = source.batch(plan[begin : begin + batch])
            out = model(*arguments(b.inputs, device)).movedim(1, -1).cpu().numpy()
            labelled = target.known(b.targets)
            yield out[labelled], b.targets[labelled], b.where[labelled], int(np.prod(b.targets.shape[1:]))


def arguments(inputs: np.ndarray | tuple[np.ndarray, ...], device: torch.device) -> tuple[Tensor, ...]:
    """Return the inputs of a batch, one array or several, as the arguments of a network."""
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    return tuple(torch.from_numpy(part).to(device, non_blocking=True) for part in parts)


def _batch_loss(model: nn.Module, source: Source, items: np.ndarray, t: Training) -> tuple[Tensor, int]:
    """Return the summed loss of this process's share of a batch, and its labelled samples.

    With a teacher, a share of the loss is the cross-entropy with its probabilities instead of the labels.
    A network with deep supervision returns its outputs and auxiliary ones; their loss counts ``loss.auxiliary`` times.
    """
    p = t.processes
    mine = items[p.rank :: p.size]
    b = source.batch(mine if len(mine) else items[:1])  # a process without a share still has to take part
    targets = b.targets if len(mine) else t.target.nothing(b.targets.shape)
    inputs = arguments(b.inputs, p.device)
    with torch.autocast(p.device.type, torch.bfloat16, enabled=t.recipe.optimiser.precision == "bfloat16"):
        answer = model(*inputs)
    first, *more = (part.float() for part in (answer if isinstance(answer, tuple) else (answer,)))
    loss = t.target.losses(first.movedim(1, -1), targets, t.weighting).sum()
    known = t.target.known(targets)
    if t.teacher is not None:
        share = t.recipe.loss.teacher
        loss = (1.0 - share) * loss + share * losses.from_teacher(t.teacher, inputs, first, known).sum()
    for other in more:
        loss = loss + t.recipe.loss.auxiliary * t.target.losses(other.movedim(1, -1), targets, t.weighting).sum()
    return loss, int(known.sum())


def _validate(model: nn.Module, source: Source, t: Training) -> dict[str, object]:
    """Return loss and scores of the validation part, each process scoring its share."""
    p, plan = t.processes, source.plan(None)
    total = torch.zeros(2, dtype=torch.float64)
    sums = t.target.sums(np.zeros((0, t.target.channels), np.float32), t.target.nothing((0,)))
    share = plan[p.rank :: p.size]
    for out, targets, _, _ in _scored_batches(model, source, share, t.target, max(1, t.recipe.batch), p.device):
        loss = t.target.losses(torch.from_numpy(out), targets, t.weighting)
        total += torch.tensor([float(loss.double().sum()), len(targets)], dtype=torch.float64)
        sums = sums + t.target.sums(out, targets)
    total, sums = p.sum(total), p.sum(torch.from_numpy(sums)).numpy()
    if float(total[1]) == 0:
        raise UsageError("validation: the part holds no label; expected some. Label more, or change the split.")
    return {"validation_loss": float(total[0] / total[1]), **t.target.summary(sums)}


def _is_better(row: dict, best: dict | None, t: Training) -> bool:
    metric = t.recipe.stop.metric
    return best is None or t.target.merit(row, metric) > t.target.merit(best, metric)


def _is_enough(run: _Progress, t: Training) -> bool:
    """True where the metric has not improved for the recipe's patience."""
    if t.recipe.stop.patience is None or not run.history:
        return False
    top = 0
    for k, row in enumerate(run.history):
        if _is_better(row, run.history[top] if k else None, t):
            top = k
    return len(run.history) - 1 - top >= t.recipe.stop.patience


def _move_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for a, w in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            if a.is_floating_point():
                a.lerp_(w, 1.0 - decay)
            else:
                a.copy_(w)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().to("cpu", copy=True) for k, v in model.state_dict().items()}
