"""Pure: from a test to its cases and asks, from facts to verdicts, from verdicts to status. No clock, no I/O."""
