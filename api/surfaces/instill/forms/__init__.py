"""Forms: how one of Instill's tasks is read and written; `form` is what all share."""
