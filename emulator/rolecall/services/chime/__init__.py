"""Amazon Chime (2018-05-01): accounts, users and their settings. One file per noun.

Operations that are not emulated are authorised first, and then answered with 501.
"""
