"""Jobs: the body of each command, without its options and its output."""
