"""IAM Toolbox: why a request was refused, read from the decision log."""
