"""The parts of the REST stand-in: `gateway.py` puts them together."""
