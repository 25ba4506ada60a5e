"""An image as the bag of its patches: extraction, search, recurrence, similarity."""
