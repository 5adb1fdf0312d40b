"""Sandbox: declared worlds. Reads a sandbox file, says everything that is wrong with it, and sets the world up.

Not here: serving the world, or changing it afterwards; that is what the AWS operations are for.
"""
