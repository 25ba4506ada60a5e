"""Networks that learn from one image: one file a paper."""
