"""Amazon Chime SDK meetings (2021-07-15): meetings, attendees and transcription. One file per noun."""
