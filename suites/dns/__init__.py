"""Names lead to the truth: every record, over every family and transport, in every resolver."""
