"""The REST stand-in of the sandbox, held against what its models do."""
