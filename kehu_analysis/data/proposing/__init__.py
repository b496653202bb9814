"""Guess what the files of a dataset hold where they are not recognised, for an analyst to look over."""
