"""Amazon Chime SDK voice (2022-08-03): Voice Connectors. One file per noun."""
