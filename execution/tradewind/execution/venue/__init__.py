"""A simulated Alpaca: a process of its own, with durable books, that Alpaca's own clients drive unchanged.

`core` decides (pure, in integers, time an argument), `books` makes each accepted change durable before it is answered,
`server` speaks Alpaca's REST and WebSocket dialects. `python -m tradewind.execution.venue --config FILE.json` runs it.
"""
