"""Gradient clipping: against torch's own, and on the series on which the upstream one opens up."""

import math

import pytest
import torch

from srqueue.spec.automations import AdaptiveClippingSpec
from srqueue.spec.training import TrainSpec
from workers.trainer.automations.gradient_clipping import (
    AdaptiveGradientClipping,
    GradientClipping,
    clipping,
)

CPU = torch.device("cpu")


def gradients(norm):
    """Two tensors with this norm together."""
    direction = [torch.tensor([3.0, -1.0, 2.0]), torch.tensor([[1.0, 5.0], [-2.0, 0.5]])]
    length = torch.cat([t.flatten() for t in direction]).norm()
    return [t * (norm / length) for t in direction]


@pytest.mark.parametrize("norm", [0.0, 0.3, 1.0, 7.5, 1e6])
@pytest.mark.parametrize("limit", [0.5, 1.0])
def test_a_fixed_limit_is_torchs(norm, limit):
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients(norm)]
    for parameter, gradient in zip(parameters, gradients(norm), strict=True):
        parameter.grad = gradient
    found = torch.nn.utils.clip_grad_norm_(parameters, limit)
    ours, clipper = gradients(norm), GradientClipping(limit)
    clipper.clip(ours)
    assert clipper.norm == found
    for gradient, parameter in zip(ours, parameters, strict=True):
        assert torch.equal(gradient, parameter.grad)


def limits(norms, fixed=math.inf, **spec):
    """The limit of each step, and the norm that was left."""
    clipper = AdaptiveGradientClipping(AdaptiveClippingSpec(enabled=True, **spec), fixed, CPU)
    rows = []
    for norm in norms:
        left = gradients(norm)
        clipper.clip(left)
        rows.append((clipper.limit.item(), torch.cat([t.flatten() for t in left]).norm().item()))
    return rows


def test_before_warm_up_the_fixed_limit_holds():
    rows = limits([1.0] * 20, fixed=0.25, warmup=10)
    assert [limit for limit, _ in rows[:10]] == [0.25] * 10
    assert [limit for limit, _ in rows[10:]] == pytest.approx([2.0] * 10, rel=1e-5)


def test_a_slow_change_is_followed():
    """The norm falls to a twentieth over 4000 steps, as in a training; the limit falls with it."""
    norms = [math.exp(-3 * i / 4000) for i in range(4000)]
    rows = limits(norms, warmup=100)
    assert all(1.8 < limit / norm < 2.4 for (limit, _), norm in zip(rows[100:], norms[100:], strict=True))
    assert all(left == pytest.approx(norm, rel=1e-4) for (_, left), norm in zip(rows, norms, strict=True))


def test_an_explosion_is_not_followed():
    """Ten times the norm each step: upstream's limit goes to 1.1 times the largest norm, ours stays."""
    usual, explosion = [1.0] * 300, [10.0**i for i in range(1, 31)]
    rows = limits(usual + explosion, warmup=100)
    before, after = rows[299][0], rows[-1][0]
    assert after < 1.25 * before
    assert all(left < 2.5 for _, left in rows)
    upstream = min(10.0, 1.1 * max(explosion[:20]))
    assert upstream / before > 4  # what it would have let through


def test_also_the_first_step_does_not_decide_alone():
    """The first gradients are the largest: the limit forgets them within the warm-up."""
    rows = limits([100.0, 50.0, 20.0] + [1.0] * 200, warmup=100)
    assert rows[100][0] < 2.5


@pytest.mark.parametrize("odd", [math.inf, math.nan, 0.0])
def test_norms_that_say_nothing_are_not_averaged(odd):
    clipper = AdaptiveGradientClipping(AdaptiveClippingSpec(enabled=True, warmup=2), 1.0, CPU)
    for norm in (1.0, 1.0, odd, odd):
        clipper.clip([torch.tensor([norm])])
    state = clipper.state_dict()
    assert (state["average"].item(), state["steps"].item()) == (0.0, 2.0)
    clipper.clip([torch.tensor([5.0])])
    assert clipper.limit.item() == pytest.approx(2.0)


def test_it_tells_how_often_it_clipped_and_then_counts_anew():
    clipper = AdaptiveGradientClipping(AdaptiveClippingSpec(enabled=True, warmup=5), math.inf, CPU)
    for norm in [1.0] * 20:
        clipper.clip(gradients(norm))
    assert clipper.acted() is None
    for norm in [1.0, 30.0, 1.0, 7.0]:
        clipper.clip(gradients(norm))
    action = clipper.acted()
    assert action.did.startswith("clipped 2 gradients to 2") and "norms up to 30" in action.reason
    assert clipper.acted() is None


def test_a_fixed_limit_has_nothing_to_tell():
    clipper = GradientClipping(0.1)
    clipper.clip(gradients(5.0))
    assert clipper.acted() is None


def test_one_from_its_tensors_goes_on_the_same_bit_for_bit():
    norms = [1.0, 3.0, 0.2, 5.0, 0.7, 2.0, 40.0, 1.0]
    spec = AdaptiveClippingSpec(enabled=True, warmup=2)
    unbroken, broken = (AdaptiveGradientClipping(spec, 1.0, CPU) for _ in range(2))
    for i, norm in enumerate(norms):
        if i == 5:
            saved = {name: t.reshape(-1).clone() for name, t in broken.state_dict().items()}
            broken = AdaptiveGradientClipping(spec, 1.0, CPU)
            broken.load_state_dict(saved)
        for clipper in (unbroken, broken):
            clipper.clip(gradients(norm))
        assert torch.equal(unbroken.limit, broken.limit)
    broken.load_state_dict({})
    assert broken.state_dict()["steps"].item() == 0


def test_what_a_spec_asks_for():
    adaptive = {"enabled": True, "AdaptiveGradientClipping": {"enabled": True}}
    off = {"enabled": False, "AdaptiveGradientClipping": {"enabled": True}}
    chosen = [
        clipping(TrainSpec(total_iter=10_000, **changes), CPU)
        for changes in (
            {}, {"grad_clip": True}, {"training_automations": adaptive}, {"training_automations": off},
        )
    ]  # fmt: skip
    assert [type(c).__name__ for c in chosen] == [
        "NoneType", "GradientClipping", "AdaptiveGradientClipping", "NoneType",
    ]  # fmt: skip
