"""Recognise columns, read values, hold every row against the contract, and list what is wrong."""
