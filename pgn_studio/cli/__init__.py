"""The command line: thin, arguments to core. Nothing here imports torch before a command needs it."""
