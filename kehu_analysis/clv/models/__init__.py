"""Models of purchases, spend and contracts, each with its likelihood and what it predicts."""
