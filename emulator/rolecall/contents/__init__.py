"""What a new resource of the Chime SDK has: its members as the API spells them, and the rules about their values.

An operation makes such a resource, and so does the sandbox file.
"""
