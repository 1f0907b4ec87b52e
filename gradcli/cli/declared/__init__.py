"""How each command is called: arguments, options and help, one file a command."""
