"""Commands: one module per subcommand of ``rolecall``, loaded when it is called.

Loading all of them would double the time until ``serve`` answers: the demo alone brings a whole AWS client.
"""
