"""The command line: what finds the commands, and what they share."""
