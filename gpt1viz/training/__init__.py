"""Training: schedules and optimisers, one loop, pre-training, and the run directory that everything reads."""
