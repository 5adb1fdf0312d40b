"""Amazon Chime (2018-05-01): accounts, users and their settings. One file per noun; the rest is authorised, then refused."""
