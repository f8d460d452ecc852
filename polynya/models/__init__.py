"""Networks, one architecture a file: ``KIND``, a frozen ``Config``, ``build(config)``; the folder is the registry."""
