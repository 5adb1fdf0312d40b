"""Amazon Chime SDK identity (2021-04-20): app instances, their users, bots and administrators. One file per noun."""
