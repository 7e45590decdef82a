"""Training scripts of the models under samples/weights. Run from a checkout; in no wheel."""
