"""IAM. A folder for each noun; what several of them share stands beside the folders."""
