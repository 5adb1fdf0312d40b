"""The console's pages: what people look at in a browser, rendered on the server.

Owned here: which pages there are (answering), and one module for each page. A page is a plain function from the sandbox
and the request to an answer; it reads through the rooms that the commands use, so a page and a command never disagree.
Only forms change anything. Not here: the address and the guard (console_door), the visitor's page after a sign-in
(signin).
"""
