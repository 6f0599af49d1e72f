"""What needs no cluster: pure functions, and clients against servers of our own on loopback."""
