"""The command line: ``lossbook COMMAND``, one module per command group."""
