"""`python -m tradewind.operators.crds CHART`: writes the definitions and admission policies into a chart. Shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tradewind.operators.crds import admission, definitions

HEADER = "# Made from the models of tradewind.specs by `make crds`; not to be edited.\n"


def files() -> dict[str, str]:
    """The files, by path within the chart."""
    made = {f"crds/{d['metadata']['name'].split('.')[0]}.yaml": _yaml([d]) for d in definitions()}
    return {**made, "templates/admission.yaml": _yaml(admission())}


def _yaml(documents: list[dict[str, Any]]) -> str:
    text = "---\n".join(yaml.safe_dump(d, sort_keys=False, allow_unicode=True, width=120) for d in documents)
    return HEADER + text


def main(chart: Path) -> None:
    """Writes every file below `chart`."""
    for path, text in files().items():
        (chart / path).parent.mkdir(parents=True, exist_ok=True)
        (chart / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
