"""`python -m tradewind.operators.crds CHART`: writes definitions, admission policies and roles into a chart. Shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tradewind.operators.crds import admission, definitions
from tradewind.operators.crds.rbac import operator, people

HEADER = "# Made from the models of tradewind.specs by `make crds`; not to be edited.\n"


def files() -> dict[str, str]:
    """The files, by path within the chart."""
    made = {f"crds/{d['metadata']['name'].split('.')[0]}.yaml": _yaml([d]) for d in definitions()}
    made["templates/admission.yaml"] = _yaml(admission())
    made["templates/operator-account.yaml"] = _yaml(operator())
    made["templates/people.yaml"] = _yaml(people())
    return made


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
