"""Losses against their formulas, written out in numpy; sets of classes; gradients where a loss is flat or steep."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from polynya import losses  # noqa: E402
from polynya.errors import UsageError  # noqa: E402

LOGITS = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, -3.0], [-4.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
SETS = {1: [0], 2: [1], 4: [2], 3: [0, 1], 6: [1, 2]}
ALPHA = np.array([0.05, 0.45, 0.60])


def formula(logits: np.ndarray, target: int, *, kind: str, gamma: float, alpha: np.ndarray | None) -> float:
    p = np.exp(logits) / np.exp(logits).sum()
    chosen = SETS[target]
    q = p[chosen].sum()
    value = -np.log(q)
    if kind == "focal":
        value *= (1 - q) ** gamma
    if kind != "cross_entropy" and alpha is not None:
        value *= alpha[chosen].mean()
    return value


@pytest.mark.parametrize("target", list(SETS))
@pytest.mark.parametrize(
    ("kind", "alpha"),
    [("cross_entropy", None), ("cross_entropy", ALPHA), ("weighted", ALPHA), ("focal", None), ("focal", ALPHA)],
)
@pytest.mark.parametrize("gamma", [0.0, 2.0, 0.5])
def test_losses_are_their_formulas(target, kind, alpha, gamma):
    targets = torch.full((4,), target, dtype=torch.uint8)
    found = losses.sample_losses(
        torch.tensor(LOGITS), targets, kind=kind, gamma=gamma, alpha=None if alpha is None else torch.tensor(alpha)
    )
    expected = [formula(z, target, kind=kind, gamma=gamma, alpha=alpha) for z in LOGITS]
    assert np.allclose(found.numpy(), expected, rtol=1e-10, atol=1e-12)


def test_one_label_is_torchs_own_cross_entropy():
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    classes = torch.arange(50) % 3
    expected = torch.nn.functional.cross_entropy(z, classes, reduction="none")
    assert torch.allclose(losses.sample_losses(z, (1 << classes).to(torch.uint8), kind="cross_entropy"), expected)


def test_smoothing_of_one_label_is_torchs_own():
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    classes = torch.arange(50) % 3
    expected = torch.nn.functional.cross_entropy(z, classes, reduction="none", label_smoothing=0.1)
    assert torch.allclose(
        losses.sample_losses(z, (1 << classes).to(torch.uint8), kind="cross_entropy", smoothing=0.1), expected
    )


@pytest.mark.parametrize("target", list(SETS))
@pytest.mark.parametrize(("kind", "alpha"), [("weighted", ALPHA), ("focal", None), ("focal", ALPHA)])
def test_smoothing_spreads_a_share_over_all_classes(target, kind, alpha):
    targets = torch.full((4,), target, dtype=torch.uint8)
    found = losses.sample_losses(
        torch.tensor(LOGITS), targets, kind=kind, alpha=None if alpha is None else torch.tensor(alpha), smoothing=0.2
    )
    own = [formula(z, target, kind=kind, gamma=2.0, alpha=alpha) for z in LOGITS]
    every = [np.mean([formula(z, 1 << k, kind=kind, gamma=2.0, alpha=alpha) for k in range(3)]) for z in LOGITS]
    assert np.allclose(found.numpy(), 0.8 * np.array(own) + 0.2 * np.array(every), rtol=1e-10)


@pytest.mark.parametrize("kind", losses.KINDS)
def test_smoothing_leaves_what_is_unlabelled_alone(kind):
    z = torch.tensor(LOGITS, requires_grad=True)
    loss = losses.sample_losses(z, torch.tensor([0, 1, 1, 0], dtype=torch.uint8), kind=kind, smoothing=0.1)
    loss.sum().backward()
    assert loss[0] == 0 and loss[3] == 0 and not z.grad[0].any() and not z.grad[3].any() and z.grad[1].any()


@pytest.mark.parametrize("kind", losses.KINDS)
def test_no_label_costs_nothing_and_teaches_nothing(kind):
    z = torch.tensor(LOGITS, requires_grad=True)
    loss = losses.sample_losses(z, torch.tensor([0, 7, 1, 0], dtype=torch.uint8), kind=kind, alpha=torch.tensor(ALPHA))
    loss.sum().backward()
    assert loss[0] == 0 and loss[3] == 0 and loss[2] > 0 and abs(float(loss.detach()[1])) < 1e-12
    assert torch.isfinite(z.grad).all() and not z.grad[0].any() and not z.grad[3].any() and z.grad[2].any()


@pytest.mark.parametrize("kind", losses.KINDS)
@pytest.mark.parametrize("target", [1, 3])
def test_gradients_stay_finite_far_out(kind, target):
    z = torch.tensor([[200.0, 0.0, -200.0], [-200.0, -100.0, 200.0], [0.0, 0.0, 0.0]], requires_grad=True)
    losses.sample_losses(z, torch.full((3,), target, dtype=torch.uint8), kind=kind, gamma=0.5).sum().backward()
    assert torch.isfinite(z.grad).all()
    assert z.grad[1, 0] <= 0 and z.grad[1, 2] > 0  # a wrong and sure answer is still pulled


def test_ice_of_unknown_thickness_moves_neither_kind_against_the_other():
    z = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    losses.sample_losses(z, torch.tensor([3], dtype=torch.uint8), kind="cross_entropy").sum().backward()
    assert torch.allclose(
        z.grad, torch.tensor([[-1 / 6, -1 / 6, 1 / 3]], dtype=torch.float64)
    )  # softmax - softmax within the set


def test_scenes_take_the_same_losses():
    z = torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(2))
    targets = torch.randint(0, 7, (2, 4, 5), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    found = losses.sample_losses(z, targets, kind="focal")
    assert found.shape == (2, 4, 5) and torch.allclose(
        found.flatten(), losses.sample_losses(z.reshape(-1, 3), targets.flatten(), kind="focal")
    )


def test_balanced_weights_average_to_one():
    counts = torch.tensor([900.0, 80.0, 20.0])
    alpha = losses.balanced_alpha(counts)
    assert torch.allclose((alpha * counts).sum() / counts.sum(), torch.tensor(1.0)) and torch.allclose(
        alpha * counts, torch.full((3,), 1000 / 3)
    )
    assert losses.balanced_alpha(torch.tensor([10.0, 0.0, 30.0]))[1] == 0


def test_an_unknown_loss_is_refused():
    with pytest.raises(UsageError, match="loss dice: expected one of cross_entropy, weighted, focal"):
        losses.sample_losses(torch.zeros(1, 3), torch.ones(1, dtype=torch.uint8), kind="dice")


def test_a_pupil_that_answers_as_its_teacher_pays_the_entropy_and_is_not_moved():
    torch.manual_seed(4)
    teacher = torch.nn.Conv1d(2, 3, 3, padding=1).eval()
    x = torch.randn(5, 2, 7)
    known = np.random.default_rng(4).random((5, 7)) > 0.4
    z = teacher(x).detach().requires_grad_()
    found = losses.from_teacher(teacher, x, z, known)
    p = torch.softmax(z.detach(), 1).movedim(1, -1)[torch.from_numpy(known)]
    assert found.shape == (known.sum(),)
    assert torch.allclose(found, torch.distributions.Categorical(probs=p).entropy(), atol=1e-6)
    found.sum().backward()
    assert z.grad.abs().max() < 1e-6 and all(w.grad is None for w in teacher.parameters())
    moved = torch.zeros_like(z, requires_grad=True)
    losses.from_teacher(teacher, x, moved, known).sum().backward()
    gap = torch.softmax(moved, 1) - torch.softmax(z, 1)  # the slope of a cross-entropy with fixed probabilities
    assert torch.allclose(moved.grad, gap.detach() * torch.from_numpy(known)[:, None], atol=1e-6)
