"""Predictions to fills: the signal process, the executor process and the simulated Alpaca venue."""
