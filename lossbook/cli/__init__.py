"""The command line: ``lossbook COMMAND``, a module a command group."""
