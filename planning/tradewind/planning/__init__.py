"""What a Strategy and a RiskPolicy mean in processes. Core: no I/O, no clock.

Operators render a plan as pods, console renders it as processes of one machine.
"""

from tradewind.planning.workload import Workload

__all__ = ["Workload"]
