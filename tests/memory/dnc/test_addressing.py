"""Properties of the addressing equations, and that broken ones would be noticed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.dnc import addressing
from tests.memory.dnc import reference

B, N, W, H = 2, 6, 4, 3
seeds = st.integers(0, 2**31)


def drawn(seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.rand(shape, generator=generator, dtype=dtype)


def simplex(weights):
    return bool((weights >= 0).all()) and torch.allclose(weights.sum(-1), torch.ones(weights.shape[:-1]).to(weights))


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_weightings_are_on_the_simplex(seed):
    rand = drawn(seed)
    content = addressing.content_weighting(rand(B, N, W) - 0.5, rand(B, H, W) - 0.5, 1 + 9 * rand(B, H))
    assert simplex(content)
    assert simplex(addressing.content_weighting(rand(B, N, W), rand(B, H, W), 1 + rand(B, H), rand(B, H, W)))
    between = addressing.interpolated(content, content.flip(2), rand(B, H))
    shifted = addressing.shifted(between, torch.softmax(5 * rand(B, H, 5), dim=2))
    assert simplex(between)
    assert simplex(shifted)
    assert simplex(addressing.sharpened(shifted, 1 + 9 * rand(B, H)))
    allocated = addressing.allocation_weighting(rand(B, N))
    written = addressing.write_weighting(content[:, 0], allocated, rand(B, 1), rand(B, 1))
    for at_most_one in (allocated, written):
        assert (at_most_one >= 0).all()
        assert (at_most_one.sum(1) <= 1 + 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_free_rows_are_allocated_first(seed):
    usage = drawn(seed)(B, N)
    weights = addressing.allocation_weighting(usage)
    order = usage.argsort(dim=1)
    falling = weights.gather(1, order)
    assert (falling.diff(dim=1) <= 1e-12).all()
    free = usage.scatter(1, order[:, :1], 0.0)
    assert (addressing.allocation_weighting(free).gather(1, order[:, :1]) > 1 - 1e-5).all()


def unsorted_allocation(usage):
    """Broken: the rows in the order they have, not by usage."""
    before = torch.cat([torch.ones_like(usage[:, :1]), usage[:, :-1].cumprod(dim=1)], dim=1)
    return (1.0 - usage) * before


def test_allocation_needs_its_order():
    usage = torch.tensor([[0.9, 0.1, 0.5, 0.7]], dtype=torch.float64)
    expected = torch.from_numpy(reference.allocation(usage[0].numpy()))
    assert torch.allclose(addressing.allocation_weighting(usage)[0], expected)
    assert not torch.allclose(unsorted_allocation(usage)[0], expected, atol=1e-2)


def linked(weights):
    """Link and precedence after these write weights (T, B, N)."""
    link, precedence = weights.new_zeros(B, N, N), weights.new_zeros(B, N)
    for at_step in weights:
        link = addressing.updated_link(link, precedence, at_step)
        precedence = addressing.updated_precedence(precedence, at_step)
    return link, precedence


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 12))
def test_links_are_weightings_and_no_row_follows_itself(seed, steps):
    rand = drawn(seed)
    link, precedence = linked(torch.softmax(8 * rand(steps, B, N), dim=2) * rand(steps, B, 1))
    assert (link >= 0).all()
    assert (link.sum(1) <= 1 + 1e-9).all()
    assert (link.sum(2) <= 1 + 1e-9).all()
    assert (link.diagonal(dim1=1, dim2=2) == 0).all()
    assert (precedence.sum(1) <= 1 + 1e-9).all()


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(N)))
def test_links_walk_the_order_of_writing_both_ways(order):
    one_hot = torch.eye(N, dtype=torch.float64)
    link, _ = linked(one_hot[list(order)][:, None].expand(N, B, N))
    at = one_hot[order[0]].expand(B, 1, N)
    for row in order[1:]:
        at = addressing.directional_weightings(link, at)[1]
        assert torch.allclose(at, one_hot[row].expand(B, 1, N))
    for row in order[-2::-1]:
        at = addressing.directional_weightings(link, at)[0]
        assert torch.allclose(at, one_hot[row].expand(B, 1, N))


def test_a_shift_of_one_moves_to_the_following_row():
    weights = torch.eye(N)[None, N - 1 : N]
    assert torch.equal(addressing.shifted(weights, torch.tensor([[[0.0, 0.0, 1.0]]])), torch.eye(N)[None, :1])


def test_a_mask_hides_part_of_a_row():
    memory = torch.tensor([[[1.0, 0.0], [1.0, 9.0], [-1.0, 0.0]]])
    key, strength = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[50.0]])
    seen = addressing.content_weighting(memory, key, strength, torch.tensor([[[1.0, 0.0]]]))
    assert torch.allclose(seen, torch.tensor([[[0.5, 0.5, 0.0]]]), atol=1e-3)
    assert addressing.content_weighting(memory, key, strength)[0, 0, 0] > 0.99


def test_sharpened_links_sharpen_and_make_up_nothing():
    blurred = torch.tensor([[[0.5, 0.3, 0.1, 0.0]]])
    sharp = addressing.sharpened_links(blurred, torch.tensor([[8.0]]))
    assert sharp[0, 0, 0] > 0.95
    assert sharp[0, 0, 3] == 0
    assert (addressing.sharpened_links(torch.zeros(1, 1, 4), torch.tensor([[2.0]])) == 0).all()


@pytest.mark.parametrize("usage", [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.2, 0.2, 0.2]])
def test_equal_usage_has_finite_gradients(usage):
    rows = torch.tensor([usage], requires_grad=True)
    addressing.allocation_weighting(rows)[0, 1].backward()
    assert torch.isfinite(rows.grad).all()


def test_gradients_are_right():
    rand = drawn(5)

    def inputs(*shapes):
        return [(rand(*shape) * 0.8 + 0.1).requires_grad_() for shape in shapes]

    check = torch.autograd.gradcheck
    assert check(addressing.content_weighting, inputs((B, N, W), (B, H, W), (B, H), (B, H, W)))
    assert check(addressing.allocation_weighting, inputs((B, N)))
    assert check(addressing.updated_link, inputs((B, N, N), (B, N), (B, N)))
    assert check(addressing.directional_weightings, inputs((B, N, N), (B, H, N)))
    assert check(addressing.retention, inputs((B, H), (B, H, N)))
    assert check(addressing.written, inputs((B, N, W), (B, N), (B, W), (B, W)))
    assert check(addressing.shifted, inputs((B, H, N), (B, H, 3)))
    assert check(addressing.sharpened, inputs((B, H, N), (B, H)))
    assert check(addressing.sharpened_links, inputs((B, H, N), (B, H)))
