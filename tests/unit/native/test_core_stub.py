"""The extension's hand-kept stub names exactly what the extension has."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from pathlib import Path

import pytest

from tradewind.native import _core

STUB = Path(__file__).parents[3] / "native" / "tradewind" / "native" / "_core.pyi"


def public(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def stubbed(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    return {n.name: n for n in body if isinstance(n, ast.ClassDef | ast.FunctionDef) and not n.name.startswith("_")}


def members(thing: object) -> set[str]:
    return public(vars(thing))


@pytest.mark.parametrize("scope", ["", "indicators", "features", "algorithms"])
def test_the_stub_and_the_extension_have_the_same_names(scope: str) -> None:
    tree = stubbed(ast.parse(STUB.read_text()).body)
    module: object = _core
    if scope:
        node = tree[scope]
        assert isinstance(node, ast.ClassDef)
        tree, module = stubbed(node.body), getattr(_core, scope)
    assert len(tree) >= 3
    assert set(tree) == members(module)
    for name, node in tree.items():
        actual = getattr(module, name)
        if isinstance(node, ast.ClassDef) and inspect.isclass(actual) and not issubclass(actual, Exception):
            assert set(stubbed(node.body)) == public(vars(actual)), name
