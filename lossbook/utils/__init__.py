"""Input checks, atomic files, saved records and vectors: what every room uses."""
