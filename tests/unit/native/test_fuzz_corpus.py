"""The fuzzers begin where the formats are today: each seed is what its maker makes, and each harness has some."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FUZZ = Path(__file__).parents[3] / "native" / "fuzz"
HARNESSES = sorted(path.stem for path in FUZZ.glob("*_fuzz.cpp"))


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_corpus", FUZZ / "make_corpus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("harness", HARNESSES)
def test_the_seeds_are_of_this_version(harness: str) -> None:
    made = maker().SEEDS[harness]()
    kept = [path.read_bytes() for path in sorted((FUZZ / "corpus" / harness).glob("seed-*"))]
    assert kept == made, f"{harness}: run .venv/bin/python native/fuzz/make_corpus.py"
    assert len(made) >= 2
