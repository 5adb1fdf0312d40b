"""Rolecall: a local stand-in for AWS STS, IAM and Amazon Chime."""

__version__ = "0.1.0"
