"""SimulateCustomPolicy and SimulatePrincipalPolicy: their inputs, policy sources, cost, and the run."""
