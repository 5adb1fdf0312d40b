"""Amazon Chime SDK media pipelines (2021-07-15). One file per noun."""
