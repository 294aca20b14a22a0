"""Chat templates, one file each; each file is facts and names its source."""
