"""Services and pods whose names are asked for."""
