"""Archives, zip and tar: which files are in one, with nothing that could harm who unpacks it."""
