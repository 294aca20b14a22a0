"""What answers in a chat."""
