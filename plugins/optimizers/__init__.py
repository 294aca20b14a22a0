"""The built-in optimizers; the torch classes behind them stand in `steps`."""
