"""The hashed requirement lists are what the members ask for, and no more than the demo needs."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
MEMBERS = sorted(p.parent for p in ROOT.glob("*/pyproject.toml"))
NOT_RUN_LOCALLY = {"operators"}  # the demo needs no Kubernetes client


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.M)
    return {canonicalize_name(n): v for n, v in pins}


def test_every_dependency_is_locked_at_a_version_it_accepts() -> None:
    third_party = [
        ("dev.txt" if member.name in NOT_RUN_LOCALLY else "run.txt", Requirement(text))
        for member in MEMBERS
        for text in tomllib.loads((member / "pyproject.toml").read_text())["project"]["dependencies"]
        if not text.startswith("tradewind-")
    ]
    assert len(third_party) > 30
    for name_of_lock, requirement in third_party:
        lock, name = locked(name_of_lock), canonicalize_name(requirement.name)
        assert name in lock, f"{name} is not in requirements/{name_of_lock}; run make lock"
        assert requirement.specifier.contains(lock[name]), f"{requirement} but {lock[name]} is locked; run make lock"


def test_what_an_image_installs_by_name_is_locked() -> None:
    """A constraint says nothing of a package that isn't in the lock: the image would get its newest version."""
    lines = re.findall(r"install-members packages (.*)", (ROOT / "images" / "Dockerfile").read_text())
    named = {Requirement(text).name for line in lines for text in shlex.split(line)}
    assert named == {"boto3", "mlflow", "psycopg"}
    assert named <= set(locked("dev.txt"))


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_every_locked_file_has_a_hash_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    entries = re.split(r"^(?=\S)", text, flags=re.M)
    pinned = [e for e in entries if "==" in e]
    assert len(pinned) > 100
    assert all("--hash=sha256:" in e for e in pinned)
    assert "://" not in text


def test_the_demos_environment_carries_no_torch() -> None:
    assert not {n for n in locked("run.txt") if n.startswith(("torch", "nvidia"))}


def test_the_demos_environment_carries_no_kubernetes_client() -> None:
    assert not {"kopf", "kubernetes"} & set(locked("run.txt"))


def test_what_the_tests_add_is_only_added() -> None:
    run, dev = locked("run.txt"), locked("dev.txt")
    assert run.items() <= dev.items()
    assert {"pytest", "hypothesis", "ruff"} <= set(dev) - set(run)
