"""Training scripts of the models that Wherry ships. Everything under tasks/weights comes from here."""
