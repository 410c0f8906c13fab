"""Mutants: a healthy system with one defect each, and the runner that shows that each defect is found, and only it.

See ``README.md`` for the format of a mutant; ``python -m tests.mutants --help`` runs them on the cluster of KUBECONFIG.
"""
