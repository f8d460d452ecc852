"""Means and variances of batch norms, taken anew from the training part for the weights that are kept.

While a network is trained, each batch norm follows its inputs with a running average: that of the last steps, of
weights that were still moving. Averaged weights never saw a batch at all. One pass over training samples with the final
weights gives each norm what its inputs are (Izmailov et al. 2018, arXiv:1803.05407).
"""

from __future__ import annotations

from typing import Any

import numpy as np

SAMPLES = 256
"""Training samples that are looked at, at most."""
STREAM = 7
"""Of the random numbers: other samples than any epoch's."""


def recompute(model: Any, source: Any, *, batch: int, device: Any, seed: int) -> int:
    """Recompute the statistics of all batch norms in place; return over how many samples.

    Parameters
    ----------
    model : torch.nn.Module
        The trained network.
    source : polynya.train.Source
        Draws and augments samples of the training part.
    batch : int
        Samples per call: as many as in training, since a batch of another size has another variance.
    device : torch.device
        Where the network runs.
    seed : int
        Of the training.
    """
    import torch
    from torch import nn

    from ...train import arguments

    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    plan = source.plan(np.random.default_rng([seed, STREAM, 0]))[:SAMPLES]
    if not norms or not len(plan):
        return 0
    momenta, was_training = [m.momentum for m in norms], model.training
    model.to(device).eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()  # dropout stays off
    with torch.no_grad():
        for begin in range(0, len(plan), batch):
            model(*arguments(source.batch(plan[begin : begin + batch]).inputs, device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)
    return len(plan)
