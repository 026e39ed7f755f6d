"""AdaDelta against its formulas, element by element."""

import math

import pytest
import torch

from g2lstm.training.adadelta import AdaDelta


def by_hand(gradients, rho, eps, lag, rate=1.0):
    """Return the positions of one weight that starts at 0."""
    weight, squares, updates, course = 0.0, 0.0, 0.0, []
    for gradient in gradients:
        new = rho * squares + (1 - rho) * gradient**2
        update = -math.sqrt(updates + eps) / math.sqrt((squares if lag else new) + eps) * gradient
        squares = new
        updates = rho * updates + (1 - rho) * update**2
        weight += rate * update
        course.append(weight)
    return course


@pytest.mark.parametrize("lag", [True, False])
def test_steps_follow_the_formulas(lag):
    gradients = [0.5, -0.1, 2.0, 0.3, 0.3]
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.double))
    optimiser = AdaDelta([weight], rho=0.9, eps=1e-4, lag=lag)
    course = []
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.double)
        optimiser.step(0.7)
        course.append(weight.item())
    assert course == pytest.approx(by_hand(gradients, 0.9, 1e-4, lag, rate=0.7), rel=1e-12)


def test_with_lag_every_update_is_minus_the_clipped_gradient():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(4))
    optimiser = AdaDelta([weight], clip=2.0)
    expected = torch.zeros(4)
    for gradient in 3 * torch.randn(10, 4):
        weight.grad = gradient.clone()
        optimiser.step()
        expected -= gradient * min(1.0, 2.0 / (gradient.norm().item() + 1e-6))
    torch.testing.assert_close(weight.detach(), expected)


def test_a_restored_optimiser_goes_on_with_the_same_bits():
    torch.manual_seed(0)
    gradients = torch.randn(6, 5)

    def run(weight, optimiser, part):
        for gradient in part:
            weight.grad = gradient.clone()
            optimiser.step()

    whole = torch.nn.Parameter(torch.zeros(5))
    optimiser = AdaDelta([whole], clip=1.0)
    run(whole, optimiser, gradients[:3])
    resumed = torch.nn.Parameter(whole.detach().clone())
    other = AdaDelta([resumed], clip=1.0)
    tensors, meta = optimiser.state()
    other.restore({name: value.clone() for name, value in tensors.items()}, meta)
    run(whole, optimiser, gradients[3:])
    run(resumed, other, gradients[3:])
    assert torch.equal(whole, resumed)
