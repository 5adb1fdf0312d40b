"""The subcommands of ``rolecall``, one module for each. A module is loaded when the user calls its subcommand.

Loading all of them would double the time until ``serve`` answers: the demo alone imports a whole AWS client.
"""
