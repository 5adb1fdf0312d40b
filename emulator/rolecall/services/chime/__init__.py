"""Amazon Chime (2018-05-01): accounts, users and their settings. One file per noun.

The operations that nobody has built are authorised all the same, and then answered as not emulated.
"""
