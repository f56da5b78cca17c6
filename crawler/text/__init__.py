"""Pure functions on text, one subject a file: no network, no disk, no clock."""
