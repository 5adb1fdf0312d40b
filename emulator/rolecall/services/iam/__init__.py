"""IAM. Each noun has a folder. Modules that several nouns share stand beside the folders."""
