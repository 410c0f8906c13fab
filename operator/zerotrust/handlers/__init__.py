"""The only room that knows kopf: it feeds the engine and nothing else."""
