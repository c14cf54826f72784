"""From recorded history to a registered model, without ever seeing the future.

One run goes: history (nothing after `until`) → point-in-time dataset → labels → purged walk-forward splits → search →
overfitting statistics and gates → final fit → registry. `tradewind train` and the demo call `pipeline.train`; the
operator runs the same as a process, `python -m tradewind.training`. Nothing here places orders.
"""
