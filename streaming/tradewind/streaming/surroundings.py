"""Shell: what libraries expect to find around a process, and a container does not give."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def ensure_home() -> None:
    """Give this process and its children a home directory, the temporary one, where the system knows none.

    A container's user has no entry in the system's list of users, and HOME is often unset: MLflow then ends with an
    error while it is imported, although it writes nothing there. Call this before that.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()
