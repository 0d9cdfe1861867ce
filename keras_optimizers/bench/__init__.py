"""`keras-optimizers bench`: our optimizers beside their peers, in one process."""
