"""The run's authority: identities, certificates, tokens, every forgery of them, and their judges."""
