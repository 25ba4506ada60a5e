"""Building and checking the chapters."""
