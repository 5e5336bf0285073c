"""What must be there before anything can be measured; a failure here stops the run."""
