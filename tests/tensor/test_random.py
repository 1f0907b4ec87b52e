"""The random streams against PyTorch's own, bit for bit; errors against PyTorch's own sentences."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError
from gradcli.tensor.generator import default_generator
from gradcli.tensor.random import Generator
from gradcli.tensor.random_stream import DEFAULT_SEED

torch = pytest.importorskip("torch")

SIZES = (0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 100, 1000, 10007)
SEEDS = (0, 1, 42, 2**31, 2**40, -1)
REAL = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
INTEGRAL = ("uint8", "int8", "int16", "int32", "int64")


def kind(dtype):
    return getattr(torch, dtype)


def pair(seed):
    return Generator().manual_seed(seed), torch.Generator().manual_seed(seed)


def same(ours, theirs):
    """Equal bits, shape and dtype."""
    theirs = theirs.numpy()
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.tobytes() == theirs.tobytes()


def empty(shape, dtype):
    return torch.empty(shape, dtype=kind(dtype))


def in_place(name, dtype, *parameters):
    """A pair of draws: the method of ours and `tensor.name_` of PyTorch's."""
    ours = "random_" if name == "random" else name

    def draw(mine, theirs, shape):
        drawn = getattr(mine, ours)(shape, dtype, *parameters)
        return drawn, getattr(empty(shape, dtype), f"{name}_")(*parameters, generator=theirs)

    return draw


def integers(low, high, dtype):
    def draw(mine, theirs, shape):
        expected = empty(shape, dtype).random_(low, high, generator=theirs)
        return mine.integers(low, high, shape, dtype), expected

    return draw


def bernoulli(p, dtype):
    def draw(mine, theirs, shape):
        return mine.bernoulli(p, shape, dtype), empty(shape, dtype).bernoulli_(p, generator=theirs)

    return draw


def bernoulli_array(p_dtype):
    def draw(mine, theirs, shape):
        chance = np.full(shape, 0.3, p_dtype)
        return mine.bernoulli(chance), torch.bernoulli(torch.tensor(chance), generator=theirs)

    return draw


def permutation(dtype):
    def draw(mine, theirs, shape):
        n = int(np.prod(shape)) % (100 if dtype == "int8" else 2000)
        expected = torch.randperm(n, dtype=kind(dtype), generator=theirs)
        return mine.permutation(n, dtype), expected

    return draw


def multinomial(dtype, replacement):
    def draw(mine, theirs, shape):
        n = int(np.prod(shape)) % 200 + 1
        weights = np.abs(np.sin(np.arange(1, 3 * n + 1))).reshape(3, n).astype(dtype)
        count = n + 3 if replacement else 1 + n // 2
        expected = torch.multinomial(
            torch.tensor(weights), count, replacement=replacement, generator=theirs
        )
        return mine.multinomial(weights, count, replacement), expected

    return draw


DRAWS = {
    **{f"rand-{d}": in_place("uniform", d) for d in (*REAL, *COMPLEX)},
    **{f"uniform-{d}": in_place("uniform", d, -1.1, 2.6) for d in (*REAL, *COMPLEX)},
    **{f"randn-{d}": in_place("normal", d) for d in (*REAL, *COMPLEX)},
    **{f"normal-{d}": in_place("normal", d, 0.3, 1.7) for d in (*REAL, *COMPLEX)},
    **{f"normal-flat-{d}": in_place("normal", d, -2.0, 0.0) for d in REAL},
    **{f"exponential-{d}": in_place("exponential", d) for d in REAL},
    **{f"exponential-rate-{d}": in_place("exponential", d, 0.7) for d in REAL},
    **{f"cauchy-{d}": in_place("cauchy", d, 0.3, 1.7) for d in REAL},
    **{f"log_normal-{d}": in_place("log_normal", d, 0.3, 1.7) for d in REAL},
    **{f"geometric-{d}": in_place("geometric", d, 0.1) for d in (*REAL, *INTEGRAL)},
    **{f"random-{d}": in_place("random", d) for d in (*REAL, *INTEGRAL, "bool")},
    **{f"randint-{d}": integers(0, 10, d) for d in (*REAL, *INTEGRAL, "uint16", "uint64")},
    **{f"randint-signed-{d}": integers(-100, 101, d) for d in (*REAL, "int8", "int64")},
    **{
        f"randint-{low}-{high}": integers(low, high, "int64")
        for low, high in (
            (0, 2**28 - 1),
            (0, 2**28),
            (-(2**27), 2**27),
            (0, 2**32),
            (0, 2**32 + 1),
            (-(2**63), 2**63 - 1),
            (2**62, 2**62 + 5),
        )
    },
    "randint-int32-wide": integers(-(2**31), 2**31 - 1, "int32"),
    "randint-bool": integers(0, 2, "bool"),
    "randint-float16-rounded": integers(-65504, 65504, "float16"),
    "randint-float16-end": integers(-2049, 2050, "float16"),
    "randint-float16-inside": integers(4097, 4110, "float16"),
    "randint-float16-negative": integers(-5001, -4999, "float16"),
    "randint-float16-last": integers(65504, 65505, "float16"),
    "randint-float32-rounded": integers(-(2**24) + 1, 2**24, "float32"),
    "randint-float64-wide": integers(-(2**40), 2**40, "float64"),
    **{f"bernoulli-{d}": bernoulli(0.3, d) for d in (*REAL, *INTEGRAL, "bool")},
    **{f"bernoulli-array-{d}": bernoulli_array(d) for d in REAL},
    **{f"randperm-{d}": permutation(d) for d in (*REAL, *INTEGRAL) if d != "uint8"},
    **{f"multinomial-{d}": multinomial(d, False) for d in ("float32", "float64")},
    **{f"multinomial-replacement-{d}": multinomial(d, True) for d in REAL},
}


@pytest.mark.filterwarnings("ignore:.*out of bounds:UserWarning")
@pytest.mark.parametrize("name", DRAWS)
def test_each_distribution_is_pytorchs_bit_for_bit(name):
    for seed in SEEDS:
        mine, theirs = pair(seed)
        for size in SIZES if seed == 42 else SIZES[:-1]:
            same(*DRAWS[name](mine, theirs, (size,)))
        assert mine.state().tobytes() == theirs.get_state().numpy().tobytes()


@pytest.mark.filterwarnings("ignore:.*out of bounds:UserWarning")
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(-(2**63), 2**64 - 1),
    calls=st.lists(
        st.tuples(st.sampled_from(sorted(DRAWS)), st.integers(0, 40) | st.integers(600, 1300)),
        max_size=12,
    ),
)
def test_mixed_calls_stay_in_step(seed, calls):
    mine, theirs = pair(seed)
    for name, size in calls:
        same(*DRAWS[name](mine, theirs, (size,)))
    assert mine.state().tobytes() == theirs.get_state().numpy().tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_draws_continue_small_ones(dtype):
    mine, theirs = pair(5)
    for size in (7, 700_001, 3, 5000, 1_300_000, 11, 2):
        same(mine.uniform((size,), dtype), torch.rand(size, dtype=kind(dtype), generator=theirs))
        same(mine.normal((13,), dtype), torch.randn(13, dtype=kind(dtype), generator=theirs))
    same(mine.normal((300_000,), dtype), torch.randn(300_000, dtype=kind(dtype), generator=theirs))
    assert mine.state().tobytes() == theirs.get_state().numpy().tobytes()


def test_small_draws_leave_numpy_random_unloaded():
    code = (
        "import sys; from gradcli.tensor.generator import default_generator as g;"
        "g.manual_seed(1); g.normal((300, 300), 'f4'); print('numpy.random' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_both_ways_of_making_words_agree(monkeypatch):
    from gradcli.tensor import mersenne

    monkeypatch.setattr(mersenne, "_bulk_from", lambda: 1 << 40)
    one = mersenne.Mersenne(9)
    expected = [one.words(count).tolist() for count in (100, 5000, 624, 1000)]
    monkeypatch.setattr(mersenne, "_bulk_from", lambda: 1)
    two = mersenne.Mersenne(9)
    assert [two.words(count).tolist() for count in (100, 5000, 624, 1000)] == expected


@pytest.mark.parametrize("shape", [(), (2, 2), (3, 0), (2, 3, 4)])
def test_shapes(shape):
    for name in ("rand-float32", "randn-complex64", "randn-float64", "randint-int64"):
        same(*DRAWS[name](*pair(3), shape))


@pytest.mark.parametrize("size", [1, 2, 15, 16, 40])
@pytest.mark.parametrize("dtype", REAL)
def test_normal_from_arrays(dtype, size):
    mean = np.linspace(-2, 2, size).astype(dtype)
    std = np.linspace(0.1, 3, size).astype(dtype)
    column = std[: min(size, 3), None]
    cases = [
        (mean, std),
        (mean, 1.5),
        (0.25, std),
        (mean, column),
        (mean, column[0, 0:1]),
        (mean, np.float64(0.7) * np.ones((), "float64")),
        (mean[0].reshape(()), std),
        (mean, std.astype("float64")),
    ]
    for center, spread in cases:
        mine, theirs = pair(7)
        given = [torch.tensor(p) if isinstance(p, np.ndarray) else p for p in (center, spread)]
        same(mine.normal_from(center, spread), torch.normal(*given, generator=theirs))


def test_bernoulli_broadcasts_its_chances():
    mine, theirs = pair(2)
    chance = np.array([0.1, 0.9], "float64")
    expected = torch.empty(50, 2, dtype=torch.int32).bernoulli_(
        torch.tensor(chance), generator=theirs
    )
    same(mine.bernoulli(chance, (50, 2), "int32"), expected)


def test_multinomial_of_one_row_and_of_one_sample():
    for weights in ([0.1, 0.0, 3.0, 0.4], [[0.1, 2.0], [1.0, 0.0]]):
        for count, replacement in ((1, False), (1, True), (2, True), (9, True)):
            mine, theirs = pair(11)
            array = np.array(weights, "float32")
            expected = torch.multinomial(
                torch.tensor(array), count, replacement=replacement, generator=theirs
            )
            same(mine.multinomial(array, count, replacement), expected)
            assert mine.state().tobytes() == theirs.get_state().numpy().tobytes()
    assert Generator().multinomial(np.ones((0, 3), "float32"), 1).shape == (0, 1)
    assert Generator().multinomial(np.ones((0, 3), "float32"), 2, True).shape == (0, 2)


def test_extreme_parameters_neither_warn_nor_fail():
    cases = ["normal", "log_normal", "cauchy"]
    for name in cases:
        for dtype in REAL:
            same(*in_place(name, dtype, 1e4, 1e300)(*pair(4), (40,)))
    same(*in_place("geometric", "uint8", 1e-4)(*pair(4), (40,)))
    same(*in_place("exponential", "float16", 1e-7)(*pair(4), (40,)))


@pytest.mark.parametrize("seed", [*SEEDS, -(2**63), 2**64 - 1, 2**63, -5])
def test_seeds(seed):
    mine, theirs = pair(seed)
    assert mine.initial_seed() == theirs.initial_seed()
    assert mine.state().tobytes() == theirs.get_state().numpy().tobytes()


def test_default_seed_is_pytorchs():
    assert Generator().initial_seed() == torch.Generator().initial_seed() == DEFAULT_SEED
    same(Generator().normal((5,), "float32"), torch.randn(5, generator=torch.Generator()))


def test_an_unseeded_stream_is_unpredictable():
    one, two = Generator(None), Generator(None)
    assert one.initial_seed() != two.initial_seed()
    assert one.seed() == one.initial_seed()
    assert isinstance(default_generator, Generator)


@pytest.mark.parametrize("drawn", [0, 1, 5, 623, 624, 625, 1248])
def test_state_moves_between_pytorch_and_us(drawn):
    mine, theirs = pair(8)
    torch.rand(drawn, generator=theirs)
    torch.randn(3, generator=theirs)
    mine.restore(theirs.get_state().numpy())
    assert mine.state().tobytes() == theirs.get_state().numpy().tobytes()
    same(mine.normal((4,), "float64"), torch.randn(4, dtype=torch.float64, generator=theirs))
    theirs.set_state(torch.tensor(mine.state()))
    same(mine.uniform((700,), "float32"), torch.rand(700, generator=theirs))


F4, F8, F2 = np.float32, np.float64, np.float16
REFUSED = [
    (lambda g: g.manual_seed(2**64), lambda: torch.manual_seed(2**64)),
    (lambda g: g.manual_seed(-(2**63) - 1), lambda: torch.manual_seed(-(2**63) - 1)),
    (
        lambda g: g.restore(np.zeros(3, "u1")),
        lambda: torch.Generator().set_state(torch.zeros(3, dtype=torch.uint8)),
    ),
    (
        lambda g: g.restore(np.zeros(5056, "u1")),
        lambda: torch.Generator().set_state(torch.zeros(5056, dtype=torch.uint8)),
    ),
    (lambda g: g.restore(np.zeros(5056)), lambda: torch.Generator().set_state(torch.zeros(5056))),
    (lambda g: g.uniform((3,), F4, 2, 1), lambda: empty(3, "float32").uniform_(2, 1)),
    (lambda g: g.uniform((3,), F4, -3e38, 3e38), lambda: empty(3, "float32").uniform_(-3e38, 3e38)),
    (lambda g: g.uniform((3,), F4, -1e39, 0), lambda: empty(3, "float32").uniform_(-1e39, 0)),
    (lambda g: g.uniform((3,), F2, 0, 1e6), lambda: empty(3, "float16").uniform_(0, 1e6)),
    (lambda g: g.uniform((3,), F8, 0, np.nan), lambda: empty(3, "float64").uniform_(0, np.nan)),
    (lambda g: g.uniform((3,), np.int64), lambda: torch.rand(3, dtype=torch.int64)),
    (lambda g: g.uniform((3, -1), F4), lambda: torch.rand(3, -1)),
    (lambda g: g.normal((3,), F4, 0, -1), lambda: torch.normal(0.0, -1.0, (3,))),
    (lambda g: g.normal((3,), np.bool_), lambda: torch.randn(3, dtype=torch.bool)),
    (
        lambda g: g.normal_from(np.zeros(2, F4), -np.ones(2, F4)),
        lambda: torch.normal(torch.zeros(2), -torch.ones(2)),
    ),
    (lambda g: g.integers(5, 5, (2,)), lambda: torch.randint(5, 5, (2,))),
    (lambda g: g.integers(0, 2**63, (2,)), lambda: torch.randint(0, 2**63, (2,))),
    (
        lambda g: g.integers(0, 2**12, (2,), "u1"),
        lambda: torch.randint(0, 2**12, (2,), dtype=torch.uint8),
    ),
    (
        lambda g: g.integers(-1, 2, (2,), "u8"),
        lambda: torch.randint(-1, 2, (2,), dtype=torch.uint64),
    ),
    (lambda g: g.integers(0, 3, (2,), "?"), lambda: torch.randint(0, 3, (2,), dtype=torch.bool)),
    (
        lambda g: g.integers(0, 10**12, (2,), F2),
        lambda: torch.randint(0, 10**12, (2,), dtype=torch.float16),
    ),
    (
        lambda g: g.integers(0, 3, (2,), "c8"),
        lambda: torch.randint(0, 3, (2,), dtype=torch.complex64),
    ),
    (
        lambda g: g.integers(2051, 2052, (2,), F2),
        lambda: torch.randint(2051, 2052, (2,), dtype=torch.float16),
    ),
    (lambda g: g.random_((2,), "u2"), lambda: empty(2, "uint16").random_()),
    (lambda g: g.permutation(-1), lambda: torch.randperm(-1)),
    (lambda g: g.permutation(300, "u1"), lambda: torch.randperm(300, dtype=torch.uint8)),
    (lambda g: g.permutation(129, "i1"), lambda: torch.randperm(129, dtype=torch.int8)),
    (
        lambda g: g.permutation(2**31 + 1, "i4"),
        lambda: torch.randperm(2**31 + 1, dtype=torch.int32),
    ),
    (lambda g: g.permutation(3000, F2), lambda: torch.randperm(3000, dtype=torch.float16)),
    (lambda g: g.permutation(3, "?"), lambda: torch.randperm(3, dtype=torch.bool)),
    (lambda g: g.bernoulli(2.0, (3,)), lambda: empty(3, "float32").bernoulli_(2.0)),
    (lambda g: g.bernoulli(np.array([2.0], F4)), lambda: torch.bernoulli(torch.tensor([2.0]))),
    (lambda g: g.bernoulli(np.array([1, 2])), lambda: torch.bernoulli(torch.tensor([1, 2]))),
    (lambda g: g.exponential((3,), F4, 0), lambda: empty(3, "float32").exponential_(0)),
    (lambda g: g.exponential((3,), "i8"), lambda: empty(3, "int64").exponential_()),
    (lambda g: g.cauchy((3,), F4, 0, -1), lambda: empty(3, "float32").cauchy_(0, -1)),
    (lambda g: g.cauchy((3,), "i8"), lambda: empty(3, "int64").cauchy_()),
    (lambda g: g.geometric((3,), F4, 1), lambda: empty(3, "float32").geometric_(1)),
    (lambda g: g.geometric((3,), "?", 0.5), lambda: empty(3, "bool").geometric_(0.5)),
    (lambda g: g.log_normal((3,), F4, 0, 0), lambda: empty(3, "float32").log_normal_(0, 0)),
    (lambda g: g.log_normal((3,), "i8"), lambda: empty(3, "int64").log_normal_()),
]


@pytest.mark.filterwarnings("ignore:.*out of bounds:UserWarning")
@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_refusals_are_pytorchs(index):
    ours, theirs = REFUSED[index]
    compare_errors(lambda: ours(Generator()), theirs)


WEIGHTS = [
    ([1.0, 2], 3, False),
    ([1.0, -2], 1, False),
    ([1.0, -2], 1, True),
    ([1.0, -2], 2, True),
    ([0.0, 0], 1, False),
    ([0.0, 0], 2, True),
    ([float("nan"), 1], 1, False),
    ([float("nan"), 1], 2, True),
    ([float("inf"), 1], 2, True),
    ([float("inf"), 1], 1, True),
    ([1, 2], 1, False),
    ([[[1.0]]], 1, False),
    (1.0, 1, False),
    ([1.0], 0, False),
    ([1.0], -1, True),
    ([], 1, False),
    ([], 2, True),
    ([[0.0, 0], [1, 2]], 2, False),
]


@pytest.mark.parametrize(("weights", "count", "replacement"), WEIGHTS)
def test_multinomial_refusals(weights, count, replacement):
    tensor = torch.tensor(weights)
    compare_errors(
        lambda: Generator().multinomial(tensor.numpy(), count, replacement),
        lambda: torch.multinomial(tensor, count, replacement),
    )


def compare_errors(ours, theirs):
    with pytest.raises(Exception) as expected:  # noqa: PT011, the class is what is compared
        theirs()
    with pytest.raises(GradcliError) as error:
        ours()
    assert str(error.value) == str(expected.value).split("\n")[0]
    assert error.value.kind is type(expected.value)
