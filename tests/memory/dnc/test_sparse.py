"""The sparse memory: what it shares with the dense one, what it touches, what it keeps."""

import pytest
import torch

from memory.dnc import addressing
from memory.dnc.sparse import SparseAccess, SparseDNC, SparseSettings, content_reads
from memory.dnc.sparse_links import empty_links, neighbours, updated_links

B, N, W, R = 2, 6, 3, 2


def rand(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(rows, weights, size=N):
    return weights.new_zeros(*rows.shape[:-1], size).scatter_add(-1, rows, weights)


@pytest.mark.parametrize("seed", range(5))
def test_with_all_rows_a_read_is_the_dense_one(seed):
    memory, keys, strengths = rand(B, N, W, seed=seed), rand(B, R, W, seed=seed + 9), 1 + 5 * rand(B, R, seed=seed)
    rows, weights = content_reads(memory, keys, strengths, N)
    assert torch.allclose(dense(rows, weights), addressing.content_weighting(memory, keys, strengths))


def test_with_fewer_rows_a_read_is_of_the_most_similar():
    memory, keys, strengths = rand(B, N, W), rand(B, R, W, seed=1), 1 + 5 * rand(B, R)
    rows, weights = content_reads(memory, keys, strengths, 2)
    likely = addressing.content_weighting(memory, keys, strengths)
    assert torch.equal(rows.sort(dim=2).values, likely.topk(2, dim=2).indices.sort(dim=2).values)
    assert torch.allclose(weights.sum(2), torch.ones(B, R, dtype=torch.float64))


def written(steps, links, seed):
    """Sparse and dense links after ``steps`` writes of three entries each, one row twice."""
    sparse = empty_links(B, N, links, rand(1))
    link, precedence = torch.zeros(B, N, N, dtype=torch.float64), torch.zeros(B, N, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        rows = torch.randint(N, (B, 3), generator=generator)
        rows[:, 2] = rows[:, 0]
        weights = 0.3 * rand(B, 3, seed=seed + step) + 0.01
        sparse = updated_links(sparse, rows, weights)
        link = addressing.updated_link(link, precedence, dense(rows, weights))
        precedence = addressing.updated_precedence(precedence, dense(rows, weights))
    return sparse, link, precedence


@pytest.mark.parametrize("seed", range(5))
def test_with_all_links_they_are_the_dense_ones(seed):
    sparse, link, precedence = written(8, N, seed)
    assert torch.allclose(dense(sparse.rows, sparse.weights), link)
    assert torch.allclose(dense(sparse.last_rows, sparse.last_weights), precedence)
    read_rows, read_weights = torch.tensor([[[0, 3], [2, 2]]]).expand(B, R, 2), rand(B, R, 2, seed=seed)
    earlier, backward, later, forward = neighbours(sparse, read_rows, read_weights, N)
    expected = addressing.directional_weightings(link, dense(read_rows, read_weights))
    assert torch.allclose(dense(earlier, backward), expected[0])
    assert torch.allclose(dense(later, forward), expected[1])


def test_with_fewer_links_the_strongest_stay():
    sparse, link, _ = written(8, 2, 0)
    assert (sparse.weights > 0).any()
    assert ((dense(sparse.rows, sparse.weights) - link) <= 1e-12).all(), "a link lost is never made up"


def access_parts(access, **values):
    parts = {name: torch.zeros(1, size, dtype=torch.float64) for name, size in access.sections().items()}
    for name, value in values.items():
        parts[name] += value
    return torch.cat(list(parts.values()), dim=1)


def test_writes_go_to_the_row_not_accessed_for_longest():
    access = SparseAccess(memory_size=4, word_size=W, rows=1)
    state, seen = access.initial(1, rand(1)), []
    for step in range(6):
        interface = access_parts(access, write_vector=1.0 + step, write_gate=50.0, reuse_gate=-50.0, read_keys=1.0)
        oldest = int(state.age.argmax())
        _, state = access.step(interface, state)
        assert torch.allclose(state.memory[0, oldest], torch.full((W,), 1.0 + step, dtype=torch.float64))
        assert state.age[0, oldest] == 0
        seen.append(oldest)
    assert seen[:2] == [0, 1]
    assert set(seen) >= {0, 1, 2, 3} - {int(state.read_rows)}


def test_reuse_writes_where_it_read():
    access = SparseAccess(memory_size=4, word_size=W, rows=1)
    state = access.initial(1, rand(1))
    state = state._replace(read_rows=torch.tensor([[[2]]]), read_weights=torch.ones(1, 1, 1, dtype=torch.float64))
    _, state = access.step(access_parts(access, write_vector=5.0, write_gate=50.0, reuse_gate=50.0), state)
    assert torch.allclose(state.memory[0, 2], torch.full((W,), 5.0, dtype=torch.float64))
    assert state.memory[0, [0, 1, 3]].abs().max() < 1e-12


def kept_for_the_gradient(memory_size, links):
    """Numbers saved by autograd for five steps (sizes of distinct saved storages)."""
    torch.manual_seed(0)
    machine, sizes = SparseDNC(SparseSettings(3, 2, 8, memory_size, W, 1, 2, links)), {}

    def pack(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = machine(torch.randn(5, 1, 3))[0]
    outputs.sum().backward()
    return sum(sizes.values())


@pytest.mark.parametrize("links", [0, 2])
def test_what_is_kept_for_the_gradient_does_not_grow_with_the_memory(links):
    assert kept_for_the_gradient(4096, links) < 1.05 * kept_for_the_gradient(64, links)


@pytest.mark.parametrize("links", [0, 3])
def test_gradient_of_a_few_steps(links):
    torch.manual_seed(3)
    machine = SparseDNC(SparseSettings(3, 2, 5, 8, W, 2, 3, links)).double()
    inputs = rand(3, 1, 3, seed=4).requires_grad_()
    fixed_links = links == 0
    assert not fixed_links or torch.autograd.gradcheck(lambda x: machine(x)[0], (inputs,))
    machine(inputs)[0].sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in machine.parameters())
    assert inputs.grad[0].abs().sum() > 0


def test_more_rows_than_there_are_is_refused():
    with pytest.raises(ValueError, match="rows"):
        SparseAccess(memory_size=4, word_size=W, rows=5)
