"""The file formats: a reader or a writer each, and their registry.

Imports `architecture`, `eras`, `storage`; `format` says what a format is to the others, `registry`
imports all of them.
"""
