"""Text and tasks to train on."""
