"""What customers will buy and what that is worth, with what is uncertain about it."""
