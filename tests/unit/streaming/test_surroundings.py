"""A user of whom the system knows nothing."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from tradewind.streaming.surroundings import ensure_home


def test_a_user_without_a_home_gets_the_temporary_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setenv("HOME", "")  # so that it is put back afterwards
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(RuntimeError):
        Path.home()
    ensure_home()
    assert Path.home() == Path(tempfile.gettempdir())


def test_a_home_that_is_known_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    ensure_home()
    assert os.environ["HOME"] == "/nowhere"
