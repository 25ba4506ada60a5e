"""Haze: the dark channel and the airlight."""
