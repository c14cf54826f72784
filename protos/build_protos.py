"""Hatch build hook: generates the Python of every .proto in tradewind/v1 (messages, services and type stubs)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs protoc before the wheel (or the editable install) is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        from importlib.resources import files

        from grpc_tools import protoc

        root = Path(self.root)
        sources = sorted(str(p.relative_to(root)) for p in (root / "tradewind" / "v1").glob("*.proto"))
        scripts = Path(sys.executable).parent
        code = protoc.main(
            [
                "protoc",
                f"-I{root}",
                f"-I{files('grpc_tools') / '_proto'}",
                f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
                f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
                f"--python_out={root}",
                f"--grpc_python_out={root}",
                f"--mypy_out={root}",
                f"--mypy_grpc_out={root}",
                *(str(root / s) for s in sources),
            ]
        )
        if code != 0:
            raise RuntimeError(f"protoc failed with status {code} on {', '.join(sources)}")
