"""What needs pixels: scanning, pairing and checking the pictures of a data set."""
