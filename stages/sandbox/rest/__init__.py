"""The parts of the REST stand-in, assembled by `gateway.py`."""
