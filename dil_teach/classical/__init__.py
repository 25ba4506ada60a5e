"""Classical methods, without a network; most files implement one paper."""
