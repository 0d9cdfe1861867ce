"""A model's architecture and variables, in the words of another era."""
