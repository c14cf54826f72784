"""What the README says of the pages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_readme_names_each_command_that_no_test_runs() -> None:
    """tests/cluster runs the blocks that name no language; the others are for reading, or can't be run there.

    Those of "Predictions over TLS" are run by test_chart_predictor.py there and by tests/integration.
    """
    pages = [(ROOT / "docs" / name).read_text() for name in ("install.md", "operations.md")]
    pages = [re.sub(r"^## Predictions over TLS\n.*?(?=^## )", "", page, flags=re.M | re.S) for page in pages]
    blocks = [block for page in pages for block in re.findall(r"^```(?:shell|sh|bash)\n(.*?)^```", page, re.M | re.S)]
    left_out = {line.partition(" --")[0] for block in blocks for line in block.splitlines()}
    assert "skaffold run" in left_out
    _, _, told = (ROOT / "README.md").read_text().partition("\n## Not yet\n")
    assert {command for command in left_out if f"`{command}`" not in told} == set()
