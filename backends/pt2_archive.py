"""Refuses ``torch.export`` archives that would run code of their own when they are loaded.

``torch.export.load`` unpickles some members without limits, loads compiled libraries, evaluates the
strings of symbolic sizes and of guards, and finds operators by a chain of ``getattr``. An archive as
``torch.export.save`` writes it for an ordinary model needs none of that freedom, so anything beyond is
refused before torch sees the file.
"""

from __future__ import annotations

import ast
import json
import re
import zipfile
from pathlib import Path
from typing import Any, Iterator, Tuple

from bench.device.adapter import ModelRejected

MAX_PROGRAM_BYTES = 1 << 28

MEMBERS = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/\w+|models/[\w.-]+\.json|extra/.*"
    r"|data/weights/(weight_\d+|[\w.-]+_weights_config\.json|[\w.-]+\.pt)"
    r"|data/constants/(tensor_\d+|[\w.-]+_constants_config\.json|[\w.-]+\.pt)"
    r"|data/sample_inputs/[\w.-]+\.pt"
)
"""What an archive may hold in its own folder; the ``.pt`` ones are read by torch with ``weights_only``."""
OLD_MEMBERS = re.compile(r"version|serialized_\w+\.(json|pt)")
"""What one written before torch 2.8 may hold, which has no folder of its own."""
PROGRAM = re.compile(r"(.*/)?(models/[\w.-]+\.json|serialized_exported_program\.json)")

NAMESPACES = "aten|prim|prims|higher_order|quantized|quantized_decomposed|torchvision|torchao"
OPERATORS = (
    "abs|add|and_|eq|floordiv|ge|getitem|gt|index|inv|invert|le|lshift|lt|mod|mul|ne|neg|not_|or_|pos|pow"
    "|rshift|sub|truediv|xor"
)
TARGET = re.compile(
    r"torch\.ops\.(%s)\.(__i?(and|or|xor|lshift|rshift)__|(?!__)\w+)(\.(?!__)\w+)?" % NAMESPACES
    + r"|torch\._?sym_[a-z]+|math\.[a-z0-9]+|_operator\.(%s)" % OPERATORS
)
"""Functions that a node of the graph may call."""

EXPRESSION_NODES = (
    *(ast.Expression, ast.BoolOp, ast.boolop, ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop, ast.Compare),
    *(ast.cmpop, ast.IfExp, ast.keyword, ast.Subscript, ast.Constant, ast.Tuple, ast.List, ast.Load),
)
ATTRIBUTES = ("size", "stride", "storage_offset", "shape", "dtype", "device", "isnan", "inf", "ceil", "floor", "trunc")
CALLED = re.compile(r"[A-Z]\w*|min|max|abs|len|int|float|bool|round")
STRING = re.compile(r"[\w. -]{0,200}")


def check(path: Path) -> None:
    """ModelRejected where the archive holds, or asks for, more than a graph of torch's own operators."""
    try:
        with zipfile.ZipFile(str(path)) as archive:
            for info in archive.infolist():
                _, slash, name = info.filename.partition("/")
                if not (MEMBERS.fullmatch(name) if slash else OLD_MEMBERS.fullmatch(info.filename)):
                    _refuse(path, "it holds `%s`, which would be run or unpickled" % info.filename[:80])
                if PROGRAM.fullmatch(info.filename):
                    _check_program(path, archive, info)
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, ValueError, EOFError) as error:
        raise ModelRejected("%s is no torch.export archive: %s" % (path.name, " ".join(str(error).split())))


def _check_program(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    if info.file_size > MAX_PROGRAM_BYTES:
        _refuse(path, "its program has %d bytes, more than is read" % info.file_size)
    with archive.open(info) as member:
        program = json.loads(member.read(MAX_PROGRAM_BYTES))
    for key, value in _entries(program):
        if key in ("target", "as_operator") and not TARGET.fullmatch(str(value)):
            _refuse(path, "its graph calls `%s`, which is no operator of torch's" % str(value)[:80])
        if key == "expr_str" and not _is_arithmetic(value):
            _refuse(path, "a size in it is the expression `%s`, which is more than arithmetic" % str(value)[:80])
        texts = value if key == "guards_code" else value if key == "range_constraints" else ()
        for text in texts or ():
            if not _is_arithmetic(text):
                _refuse(path, "a condition in it is `%s`, which is more than arithmetic" % str(text)[:80])


def _entries(tree: Any) -> Iterator[Tuple[str, Any]]:
    """Every key and value in a tree of JSON, however deep."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            yield from node.items()
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)


def _is_arithmetic(text: Any) -> bool:
    """Whether an expression only computes with sizes: no attribute, call or string that could reach further."""
    try:
        tree = ast.parse(text, mode="eval")
        return all(_is_plain(node) for node in ast.walk(tree))
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        return False


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        function = node.func
        return isinstance(function, ast.Attribute) or (
            isinstance(function, ast.Name) and CALLED.fullmatch(function.id) is not None
        )
    if isinstance(node, ast.Attribute):
        return node.attr in ATTRIBUTES
    if isinstance(node, ast.Name):
        return not node.id.startswith("__")
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
        return isinstance(node.value, str) and STRING.fullmatch(node.value) is not None
    return isinstance(node, EXPRESSION_NODES) or type(node).__name__ in ("Index", "Slice")


def _refuse(path: Path, why: str) -> None:
    raise ModelRejected("%s is not loaded: %s" % (path.name, why))
