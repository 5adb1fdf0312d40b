"""The operations on phone numbers that Chime and the Chime SDK's voice service both have, under the same names."""
