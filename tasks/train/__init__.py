"""Training scripts of the models that Wherry ships under tasks/weights."""
