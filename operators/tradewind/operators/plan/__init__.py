"""Planners: what is wanted and what was seen → what to do. Core: no I/O, no clock.

`policies.plan` and `strategies.plan` each look at one document; the shells in `tradewind.operators.run` gather what
they look at and do what they say.
"""
