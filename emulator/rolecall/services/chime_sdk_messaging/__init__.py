"""Amazon Chime SDK messaging (2021-05-15): channels, who is in them, and their messages. One file per noun."""
