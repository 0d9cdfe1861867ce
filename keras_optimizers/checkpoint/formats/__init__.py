"""The file formats: a reader or a writer each, and their registry."""
