"""Other servers beside this one, with the same models: `make bench-peers`."""
