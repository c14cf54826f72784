"""Where market data comes from: replay of a data set, Alpaca's stream and REST, and coarser bars from finer ones."""
