"""What several chat templates share: tool styles, and texts of slots."""
