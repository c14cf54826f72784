"""Shows how far a run is. Shell."""

from __future__ import annotations

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_PHASES = {
    "venue": "starting the simulated venue",
    "recorder": "starting the recorder",
    "serving": "starting Ray Serve",
    "feed": "trading",
    "report": "writing the report",
}
_PREFIXES = {
    "train": "training",
    "features": "starting the feature engine",
    "executor": "starting the executor of",
    "signals": "starting the signals of",
}
# Where each stage of a training lies in its bar, by the time it usually takes; the bar is full when the model is there.
_TRAINING = {
    "history": (0, 2),
    "dataset": (2, 20),
    "search": (20, 80),
    "gates": (80, 92),
    "fit": (92, 98),
    "register": (98, 99),
}


class RunProgress:
    """A line per phase, with a bar where a process says how far it is."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=False,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_phase(self, name: str) -> None:
        """A workload starts, or the report is being written."""
        kind, _, rest = name.partition("-")
        words = _PHASES.get(name) or f"{_PREFIXES.get(kind, 'starting')} {rest}"
        self._tasks[name] = self._progress.add_task(words, total=None)

    def on_line(self, name: str, message: dict[str, Any]) -> None:
        """A process says how far it is."""
        task = self._tasks.get(name)
        if task is None:
            return
        if "step" in message and "total" in message:
            self._progress.update(task, completed=message["step"], total=message["total"])
        elif "stage" in message:
            words = f"{name.replace('train-', 'training ')}: {message['stage']}"
            first, last = _TRAINING.get(message["stage"], (0, 0))
            done = first + (last - first) * message.get("fraction", 0.0)
            self._progress.update(task, description=words, completed=round(done), total=100)
        elif "gates_passed" in message:
            self._end(name, name.replace("train-", "trained "))
        elif message.get("ready") and name != "feed":
            self._end(name)

    def on_done(self, name: str) -> None:
        """What `on_phase` began is done."""
        self._end(name)

    def _end(self, name: str, words: str | None = None) -> None:
        task = self._tasks[name]
        known = next(t for t in self._progress.tasks if t.id == task)
        total = known.total or 1
        self._progress.update(task, completed=total, total=total, description=words or known.description)
        self._progress.stop_task(task)
