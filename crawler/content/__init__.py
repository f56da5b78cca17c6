"""Pure functions on text: decode, parse, clean, normalise, compare."""
