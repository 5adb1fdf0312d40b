"""IAM Toolbox: why a request was refused, from what the decision log keeps of it."""
