"""SimulateCustomPolicy and SimulatePrincipalPolicy: inputs, sources, the work they cost, and the run."""
