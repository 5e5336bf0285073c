"""This machine: what it must have, programs and Docker engine on it, and what the bed keeps."""
