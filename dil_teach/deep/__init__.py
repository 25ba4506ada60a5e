"""Networks that learn from one image: each file implements one paper."""
