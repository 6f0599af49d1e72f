"""From a policy to a breach: the questions, the answers of a server, and the verdict on its samples."""
