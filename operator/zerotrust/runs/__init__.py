"""The engine: observe, decide, act. One task for each running test, written against small protocols."""
