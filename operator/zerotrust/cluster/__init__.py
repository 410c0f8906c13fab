"""The only room that knows the Kubernetes client. Foreign exceptions end here."""
