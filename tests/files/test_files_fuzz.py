"""Broken bytes of every kind: they read or are refused, nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from files_helpers import CSV, JSON, NPY, NPZ, bytes_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError
from gradcli.files import read, read_stream


def samples(folder: Path) -> dict[str, bytes]:
    from safetensors.numpy import save

    fortran = bytes_of(np.save, np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)))
    return {
        "a.npy": NPY,
        "b.npy": fortran,
        "c.npz": NPZ,
        "d.npz:x": bytes_of(np.savez, x=np.eye(2), y=np.ones(3)),
        "e.csv": CSV,
        "f.csv:b": CSV,
        "g.tsv": b"1\t2\n3\t4\n",
        "h.json:a": JSON,
        "i.json:b.x": JSON,
        "j.jsonl": b'{"x": 1}\n{"x": 2}\n',
        "k.safetensors:w": save({"w": np.eye(2, dtype=np.float32), "v": np.ones(3)}),
        "l": b"1,5;2\n3;4\n",
    }


edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "insert", "remove", "swap"]),
        st.floats(0, 1),
        st.binary(min_size=1, max_size=3) | st.sampled_from([b"\n", b",", b'"', b"[", b"NaN"]),
    ),
    min_size=1,
    max_size=4,
)


def mutate(content: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for how, where, extra in changes:
        at = int(where * len(content))
        if how == "cut":
            content = content[:at]
        elif how == "set":
            content = content[:at] + extra + content[at + len(extra) :]
        elif how == "insert":
            content = content[:at] + extra + content[at:]
        elif how == "remove":
            content = content[:at] + content[at + len(extra) :]
        else:
            content = content[at:] + content[:at]
    return content


@settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=edits, number=st.integers(0, 11))
def test_mutated_files_read_or_are_refused(
    tmp_path: Path, changes: list[tuple[str, float, bytes]], number: int
) -> None:
    reference, content = list(samples(tmp_path).items())[number]
    path = tmp_path / reference.partition(":")[0]
    broken = mutate(content, changes)
    path.write_bytes(broken)
    for attempt in (
        lambda: read(f"{tmp_path}/{reference}", limit=1 << 24),
        lambda: read_stream(io.BytesIO(broken), limit=1 << 24),
    ):
        code, text, array = "", "", np.zeros(0)
        try:
            array = attempt()
        except GradcliError as problem:
            code, text = problem.diagnostic.code, str(problem)
        assert code in ("", "G050", "G051", "G052")
        assert text.isprintable()
        assert array.dtype.isnative
        assert array.dtype.kind in "biufc"
