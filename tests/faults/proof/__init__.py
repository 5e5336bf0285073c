"""The proof: what the tests of faults showed, as records and as a page (``make proof``)."""
