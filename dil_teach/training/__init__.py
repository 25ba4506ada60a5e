"""The training loop, checkpoints, precision and schedules of all methods."""
