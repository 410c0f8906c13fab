"""What tests and the demo share: the cluster as a user's shell sees it, and systems under test."""
