"""Losses for labels that may admit several classes: cross-entropy, weighted, focal.

A target is a set of admissible classes, a bit each (see :mod:`polynya.samples.labelled_tracks`): one bit is an ordinary
label, ``thick or thin`` costs -log(p_thick + p_thin) (a superset label: Cour, Sapp and Taskar 2011, JMLR 12:1501), no
bit costs nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .errors import UsageError

KINDS = ("cross_entropy", "weighted", "focal")


def admissible(targets: Tensor, classes: int) -> Tensor:
    """Return (..., classes) bool from bits (...)."""
    return (targets.unsqueeze(-1).long() >> torch.arange(classes, device=targets.device)) & 1 == 1


def sample_losses(
    logits: Tensor,
    targets: Tensor,
    *,
    kind: str,
    alpha: Tensor | None = None,
    gamma: float = 2.0,
    smoothing: float = 0.0,
) -> Tensor:
    """Return the loss of every sample; 0 for those without a label.

    Parameters
    ----------
    logits : Tensor
        (..., classes), classes last.
    targets : Tensor
        (...) bits of admissible classes.
    kind : str
        ``cross_entropy``: -log p. ``weighted``: -alpha log p. ``focal``: -alpha (1 - p)^gamma log p (Lin et al. 2017,
        arXiv:1708.02002). p is the summed probability of the admissible classes.
    alpha : Tensor, optional
        (classes,) weight of each class; a set of classes gets their mean. 1 by default.
    gamma : float
        Focal only.
    smoothing : float
        Share of every label that is spread over all classes (Szegedy et al. 2016, arXiv:1512.00567): the loss becomes
        (1 - smoothing) of the label's own plus smoothing times the mean over classes. 0 by default.

    Returns
    -------
    Tensor, shape (...)
        Not divided by anything: the training loop divides by the number of labelled samples in the whole batch.

    Raises
    ------
    UsageError
        If the kind is unknown.
    """
    if kind not in KINDS:
        raise UsageError(f"loss {kind}: expected one of {', '.join(KINDS)}. Change loss.kind in the recipe.")
    allowed = admissible(targets, logits.shape[-1])
    labelled = allowed.any(-1)
    open_set = allowed | ~labelled.unsqueeze(-1)  # nothing known: every class is admissible and the loss is 0
    log_all = F.log_softmax(logits, -1)
    log_p = torch.logsumexp(log_all.masked_fill(~open_set, -torch.inf), -1).clamp(max=0.0)
    loss = _of(log_p, kind, gamma)
    if kind != "cross_entropy" and alpha is not None:
        loss = loss * (open_set.to(alpha.dtype) @ alpha) / open_set.sum(-1)
    if smoothing > 0:
        every = _of(log_all, kind, gamma)
        if kind != "cross_entropy" and alpha is not None:
            every = every * alpha
        loss = (1.0 - smoothing) * loss + smoothing * every.mean(-1)
    return torch.where(labelled, loss, torch.zeros_like(loss))


def _of(log_p: Tensor, kind: str, gamma: float) -> Tensor:
    """Return -log p, or the focal -(1 - p)^gamma log p without cancellation and without an infinite slope at p = 1."""
    return -log_p * (-torch.expm1(log_p)).clamp(min=1e-12) ** gamma if kind == "focal" else -log_p


def from_teacher(teacher: nn.Module, inputs: Tensor | tuple[Tensor, ...], outputs: Tensor, known: np.ndarray) -> Tensor:
    """Return the cross-entropy of outputs with the probabilities of a teacher (Hinton, Vinyals and Dean 2015).

    Parameters
    ----------
    teacher : torch.nn.Module
        A trained network, in evaluation mode; no gradient goes into it.
    inputs : Tensor, shape (batch, ...), or several
        What both networks see.
    outputs : Tensor, shape (batch, classes, ...)
        Of the network that learns, before softmax.
    known : numpy.ndarray of bool, shape (batch, ...)
        Samples that count.

    Returns
    -------
    Tensor, shape (n,)
        Of the samples that count, nats.
    """
    with torch.no_grad():
        answer = teacher(*inputs) if isinstance(inputs, tuple) else teacher(inputs)
    theirs = (answer[0] if isinstance(answer, tuple) else answer).float().softmax(1)
    each = -(theirs * F.log_softmax(outputs, 1)).sum(1)
    return each[torch.from_numpy(known).to(each.device)]


def balanced_alpha(counts: Tensor) -> Tensor:
    """Return class weights in inverse proportion to counts (classes,), their mean over the samples 1; absent classes
    weigh 0."""
    present = counts > 0
    inverse = torch.where(present, counts.sum() / counts.clamp(min=1), torch.zeros_like(counts))
    return inverse / present.sum().clamp(min=1)
