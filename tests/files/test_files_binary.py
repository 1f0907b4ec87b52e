"""npy, npz and safetensors files: what they give, and how broken ones are refused."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from files_helpers import refused

from gradcli.files import read
from gradcli.files.dtypes import BFLOAT16


def npy(header: str | bytes, body: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = header if isinstance(header, bytes) else header.encode()
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
    return b"\x93NUMPY" + version + size + text + body


def header(descr: str = "<f8", shape: str = "(2,)", fortran: str = "False") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def safetensors(tensors: dict[str, object], body: bytes) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize(
    "dtype", ["?", "i1", "<i2", ">i2", "<i4", "i8", "u1", "<f2", ">f2", "f4", ">f8", "c8", ">c16"]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_npy_keeps_dtype_shape_and_order(
    tmp_path: Path, dtype: str, shape: tuple[int, ...]
) -> None:
    path = tmp_path / "x.npy"
    for order in ("C", "F"):
        saved = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype, order=order)
        np.save(path, saved)
        array = read(str(path))
        assert array.dtype == saved.dtype.newbyteorder("=")
        assert array.dtype.isnative
        np.testing.assert_array_equal(array, saved, strict=False)
        assert array.shape == shape


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_versions(tmp_path: Path, version: tuple[int, int]) -> None:
    path = tmp_path / "x.npy"
    with path.open("wb") as stream:
        np.lib.format.write_array(stream, np.arange(4.0), version=version)
    np.testing.assert_array_equal(read(str(path)), np.arange(4.0))


@pytest.mark.parametrize("dtype", ["<u2", ">u4", "<u8"])
def test_unsigned_integers_become_int64(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "x.npy", np.array([0, 65535], dtype))
    array = read(str(tmp_path / "x.npy"))
    assert array.dtype == np.int64
    assert array.tolist() == [0, 65535]


def test_unsigned_integer_that_does_not_fit(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([2**63], np.uint64))
    refused(tmp_path / "x.npy", "G051", "9223372036854775807", "float64")


def test_bool_bytes_other_than_0_and_1(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(npy(header("|b1"), b"\7\0"))
    array = read(str(tmp_path / "x.npy"))
    assert array.view(np.uint8).tolist() == [1, 0]


def test_large_npy_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcli.files.npy.MAPPED", 1000)
    saved = np.asfortranarray(np.arange(600.0).reshape(20, 30))
    np.save(tmp_path / "x.npy", saved)
    array = read(str(tmp_path / "x.npy"), limit=100)
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable
    np.testing.assert_array_equal(array, saved)
    np.save(tmp_path / "big.npy", saved.astype(">f8"))
    refused(tmp_path / "big.npy", "G050", "limit", limit=100)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b"\x93NUMPX\1\0", ["magic"]),
        (b"\x93NUMPY\1", ["version"]),
        (b"\x93NUMPY\7\0\1\0{", ["version"]),
        (b"\x93NUMPY\1\0\xff\xff{", ["65535"]),
        (npy(header(), version=b"\2\0").replace(b"\2\0A", b"\2\0\xff\xff\xff\xff"), []),
        (npy(b" " * 70000, b"", b"\2\0"), ["70000"]),
        (npy("{}"), ["descr"]),
        (npy("[[[[" * 1000), ["descr"]),
        (npy(header(shape="(1000000000000,)"), b"\0" * 8), ["7.3 TiB", "8 B"]),
        (npy(header(shape="(0, 999999999999999999, 99999999999999)")), ["declares"]),
        (npy(header(shape=f"({'9' * 5000},)")), ["shape"]),
        (npy(header(shape="(1,)" + " " * 9), b"\0" * 7), ["cut off"]),
        (npy(header(shape="(1,)"), b"\0" * 9), ["behind"]),
        (npy(header(shape=f"({'1,' * 65})"), b"\0" * 8), ["shape"]),
        (npy(header(shape="(-1,)"), b"\0" * 8), ["shape"]),
        (npy(header("|O"), b"\0" * 16), ["objects", "float"]),
        (npy(header("<U5"), b"\0" * 40), ["text"]),
        (npy(header("|S5"), b"\0" * 10), ["text"]),
        (npy(header("<M8[ns]"), b"\0" * 16), ["dates"]),
        (npy(header("<m8[s]"), b"\0" * 16), ["durations"]),
        (npy(header("<f16"), b"\0" * 32), ["width"]),
        (npy(header("|V2"), b"\0" * 4), ["raw"]),
        (npy(header("(1000000000,)f8"), b"\0" * 16), []),
        (npy(header().replace("'<f8'", "[('a', '<f8')]"), b"\0" * 16), ["structured"]),
    ],
)
def test_broken_npy(tmp_path: Path, content: bytes, words: list[str]) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    refused(tmp_path / "x.npy", "G051", "x.npy", *words)


def test_saved_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}, 1], object), allow_pickle=True)
    refused(tmp_path / "x.npy", "G051", "objects")
    np.savez(tmp_path / "x.npz", a=np.array([{}, 1], object))
    refused(tmp_path / "x.npz", "G051", "objects")


# -- npz


def test_npz_members(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, weights=np.eye(3), **{"a:b": np.arange(3)})
    np.testing.assert_array_equal(read(f"{path}:weights"), np.eye(3))
    np.testing.assert_array_equal(read(f"{path}:weights.npy"), np.eye(3))
    np.testing.assert_array_equal(read(f"{path}:a:b"), np.arange(3))
    refused(path, "G052", "weights", "several")
    refused(f"{path}:weight", "G052", "did you mean weights?", "a:b")
    np.savez(path, only=np.ones(2))
    np.testing.assert_array_equal(read(str(path)), np.ones(2))


def test_npz_of_a_million_rows(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((10**6, 2)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=rows)
    np.testing.assert_array_equal(read(f"{tmp_path}/x.npz:x"), rows)


def test_zip_bomb_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(header(shape="(25000000,)"), bytes(200_000_000)))
    assert path.stat().st_size < 1 << 20
    refused(path, "G050", "190.7 MiB", "--max-memory")


def test_npz_member_that_lies_about_its_size(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.zeros(1000))
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\1\2") + 24
    assert content[at : at + 4] == struct.pack("<I", 8128)
    content[at : at + 4] = struct.pack("<I", 200)
    path.write_bytes(content)
    refused(path, "G051")


def test_npz_with_damaged_contents(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.zeros(1000))
    good = path.read_bytes()
    for content in (good[:100], good[:-30], b"PK\3\4", good.replace(b"\0" * 8, b"\1" * 8, 3)):
        path.write_bytes(content)
        refused(path, "G051")
    flipped = bytearray(good)
    flipped[5000] ^= 1  # an element: only the checksum knows
    path.write_bytes(flipped)
    refused(path, "G051", "CRC")


def test_npz_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for method, word in ((zipfile.ZIP_LZMA, "deflated"), (zipfile.ZIP_BZIP2, "deflated")):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("x.npy", b"1")
        refused(path, "G051", word)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"1")
    refused(path, "G051", "PyTorch")
    np.savez(path, x=np.zeros(3))
    content = bytearray(path.read_bytes())
    content[content.rfind(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    refused(path, "G051", "encrypted")


# -- safetensors


def test_safetensors(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "m.safetensors"
    tensors = {"w": np.eye(3, dtype=np.float16), "layer.0:b": np.arange(4), "m": np.array([True])}
    numpy.save_file(tensors, path)
    for name, tensor in tensors.items():
        array = read(f"{path}:{name}")
        assert array.dtype == tensor.dtype
        np.testing.assert_array_equal(array, tensor)
    refused(path, "G052", "several")
    refused(f"{path}:W", "G052", "did you mean w?")
    numpy.save_file({"w": np.float32([[1, 2]])}, path, metadata={"note": "one"})
    assert read(str(path)).shape == (1, 2)


def test_safetensors_bfloat16_comes_as_float32_that_says_so(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    values = torch.tensor([[1.5, -2.0, float("inf")], [3e38, 1e-40, 0.1]]).bfloat16()
    save_file({"w": values}, tmp_path / "m.safetensors")
    array = read(f"{tmp_path}/m.safetensors")
    assert array.dtype == BFLOAT16
    assert array.dtype.metadata == BFLOAT16.metadata
    np.testing.assert_array_equal(array, values.float().numpy())


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 4,
        struct.pack("<Q", 1 << 62) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        struct.pack("<Q", 4) + b"[[[[",
        safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 4),
        safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, b"\0" * 12),
        safetensors({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 8]}}, b"\0" * 8),
        safetensors({"a": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 8]}}, b"1" * 8),
        safetensors({"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}, b"\0\0"),
    ],
)
def test_broken_safetensors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    refused(tmp_path / "m.safetensors", "G051")
