"""Shell: asks a process's probes."""

from __future__ import annotations

import urllib.error
import urllib.request


def probe(port: int, path: str) -> tuple[int, str]:
    """Status and text of the answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
