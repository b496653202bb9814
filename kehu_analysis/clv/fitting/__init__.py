"""From a summary of purchases to parameters: samples, likelihoods, covariates, the search for the maximum."""
