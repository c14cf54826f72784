"""The image that every pod's sandbox runs, made without Docker from one static program. Shell."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

PAUSE = "docker.io/tradewind/pause:1"


def write_pause_image(program: Path, target: Path) -> None:
    """Writes `target`, a tar as `docker save` makes it, whose only layer holds /pause."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as layer:
        layer.add(program, "pause")
    data = packed.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    told = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65535:65535"}}
    told["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    config = json.dumps(told).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [PAUSE], "Layers": [f"{digest}.tar"]}]
    with tarfile.open(target, "w") as image:
        for path, content in (
            (name, config),
            (f"{digest}.tar", data),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            image.addfile(entry, io.BytesIO(content))
