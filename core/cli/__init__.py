"""The command line. Each command imports what it needs inside itself, so that `--help` and `render` stay quick."""
