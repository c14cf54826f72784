"""What is measured, and how: `python -m benchmarks.NAME` prints one JSON line per figure."""
