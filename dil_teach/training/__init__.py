"""What all methods that learn share: loop, checkpoints, precision, schedules."""
