"""Zero-trust tests as Kubernetes resources: declare who is trusted, prove that everyone else is refused."""

__version__ = "0.1.0"
