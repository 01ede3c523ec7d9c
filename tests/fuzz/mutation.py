"""Damage to bytes and JSON, drawn from a seeded random."""

from __future__ import annotations

import json
import struct
import warnings
import zipfile
from io import BytesIO
from random import Random
from typing import Any

NASTY_NUMBERS = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**62, 2**64 - 1)
NASTY_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, -0.5, "", "x" * 5000, "../../etc/passwd", "/dev/zero"),
    *("\x00", "𝔛\u202e\n", [], {}, [[]], {"a": {"b": {}}}, ["a"] * 3000, [1e999], "resnet152", "vit_h_14"),
    *(8192, 65536, [4096] * 12, [10**9], "arch:vit_h_14", "python:os:system", "http://127.0.0.1:9/", "NaN"),
)
DEEP = 5000  # brackets


def damaged(content: bytes, random: Random) -> bytes:
    """A few of the ways in which files break, or are broken."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice(_WAYS)(data, random)
    return bytes(data)


def _flip(data: bytearray, random: Random) -> bytearray:
    for _ in range(random.choice((1, 3, 30))):
        if data:
            data[_place(data, random)] = random.randrange(256)
    return data


def _cut(data: bytearray, random: Random) -> bytearray:
    return data[: random.choice((0, 1, 4, 8, 16, _place(data, random), max(0, len(data) - 1)))]


def _number(data: bytearray, random: Random) -> bytearray:
    code, size = random.choice((("<I", 4), (">I", 4), ("<Q", 8), ("<H", 2), (">H", 2)))
    place = _place(data, random)
    if place + size <= len(data):
        data[place : place + size] = struct.pack(code, random.choice(NASTY_NUMBERS) % 2 ** (8 * size))
    return data


def _repeat(data: bytearray, random: Random) -> bytearray:
    start = _place(data, random)
    part = data[start : start + random.choice((1, 16, 512))]
    return data[:start] + part * random.choice((2, 50)) + data[start:]


def _noise(data: bytearray, random: Random) -> bytearray:
    start = _place(data, random)
    return data[:start] + bytearray(random.randbytes(random.choice((1, 8, 300)))) + data[start:]


def _blank(data: bytearray, random: Random) -> bytearray:
    start = _place(data, random)
    end = min(len(data), start + random.choice((1, 64, 4096)))
    data[start:end] = bytes([random.choice((0, 255))]) * (end - start)
    return data


def _place(data: bytearray, random: Random) -> int:
    """Heads of files are where the sense is: half of the damage goes there."""
    if not data:
        return 0
    return random.randrange(min(len(data), 256) if random.random() < 0.5 else len(data))


_WAYS = (_flip, _cut, _number, _repeat, _noise, _blank)


def damaged_json(value: Any, random: Random) -> Any:
    """`value` with one of its parts, at any depth, taken away or made nasty."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        way = random.random()
        if way < 0.12:
            return {name: item for name, item in value.items() if name != key}
        if way < 0.17:
            return {**value, random.choice(("extra", "__class__", key + " ")): random.choice(NASTY_VALUES)}
        return {**value, key: damaged_json(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.6:
        at = random.randrange(len(value))
        return [*value[:at], damaged_json(value[at], random), *value[at + 1 :]]
    return random.choice(NASTY_VALUES)


def json_text(value: Any, random: Random) -> bytes:
    """As text, at times with what only lenient readers write, or thousands of brackets."""
    way = random.random()
    if way < 0.03:
        return b"[" * DEEP + b"]" * DEEP
    if way < 0.06:
        return b'{"settings":' * DEEP + b"1" + b"}" * DEEP
    text = json.dumps(value).encode()
    return damaged(text, random) if way < 0.15 else text


def safetensors_parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def safetensors_bytes(header: bytes, data: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def damaged_safetensors(content: bytes, random: Random, *, entry: str) -> bytes:
    """Bytes, header or the JSON in the metadata's `entry`, damaged."""
    way = random.random()
    if way < 0.25:
        return damaged(content, random)
    header, data = safetensors_parts(content)
    if way < 0.7 and entry in header["__metadata__"]:
        inner = damaged_json(json.loads(header["__metadata__"][entry]), random)
        header["__metadata__"][entry] = json_text(inner, random).decode("utf-8", "replace")
    elif way < 0.95:
        header = damaged_json(header, random)
    else:  # a length that promises too much, up to the format's own limit
        length = random.choice((10**8, 10**8 - 1, 2**40, 2**63, len(data)))
        return length.to_bytes(8, "little") + json.dumps(header).encode() + data
    return safetensors_bytes(json_text(header, random), data)


def damaged_zip(content: bytes, random: Random) -> bytes:
    """Bytes of the archive, or one of its records, damaged; or a record that unpacks to very much."""
    if random.random() < 0.3:
        return damaged(content, random)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        records = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = random.randrange(len(records))
    name, data = records[at]
    way = random.random()
    if way < 0.5:
        data = damaged(data, random) if not name.endswith(".json") else _json_or_bytes(data, random)
    elif way < 0.65:
        name = random.choice(("../" * 9 + "tmp/out", "/tmp/out", "a" * 3000, name + "x", records[0][0]))
    elif way < 0.8:
        del records[at]
        return zipped(records)
    else:
        bomb = bytes(2**20 * random.choice((24, 64)))
        return zipped([*records[:at], (name, bomb), *records[at + 1 :]], squeezed=True)
    return zipped([*records[:at], (name, data), *records[at + 1 :]])


def _json_or_bytes(data: bytes, random: Random) -> bytes:
    if random.random() < 0.3:
        return damaged(data, random)
    return json_text(damaged_json(json.loads(data), random), random)


def zipped(records: list[tuple[str, bytes]], *, squeezed: bool = False) -> bytes:
    stream = BytesIO()
    method = zipfile.ZIP_DEFLATED if squeezed else zipfile.ZIP_STORED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two records of one name, which are wanted
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, data in records:
                archive.writestr(zipfile.ZipInfo(name), data, method, 1)
    return stream.getvalue()
