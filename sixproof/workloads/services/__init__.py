"""Services of a run, what stands behind them, and what each must look like."""
