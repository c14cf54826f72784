"""`python -m tradewind.execution.signals --config FILE`. Shell."""

from __future__ import annotations

from tradewind.bus import Probes, open_bus
from tradewind.execution.process import main, run_until_signalled
from tradewind.execution.signals.config import SignalConfig
from tradewind.execution.signals.predictor import PredictorClient
from tradewind.execution.signals.process import SignalProcess


def run(config: SignalConfig) -> None:
    """Runs the signal process until SIGTERM."""
    with Probes(config.probes_port) as probes, probes.measured(open_bus(config.bus)) as bus:
        predictor = PredictorClient(config.predictor, config.predict_timeout_s, config.predictor_ca_file)
        probes.upstream("predictor", predictor.problem)
        process = SignalProcess(config, bus, predictor)
        run_until_signalled(process.run, {"strategy": config.strategy.metadata.name}, probes)


if __name__ == "__main__":
    raise SystemExit(main(SignalConfig, run))
