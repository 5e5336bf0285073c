"""The diagnostics bundle: what diagnostic commands show, judged, without secrets, in one file."""
