"""This machine: its requirements, programs and Docker engine, and the files that the bed keeps."""
