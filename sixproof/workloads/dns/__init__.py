"""Services and pods whose names are looked up."""
