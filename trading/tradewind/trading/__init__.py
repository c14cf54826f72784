"""The trading domain in Python: predictions, signals, sizing. Cores only: no I/O, no clock, no logging.

Training (which judges a model by what it would have traded) and the signal process (which trades) call the same
functions.
"""
