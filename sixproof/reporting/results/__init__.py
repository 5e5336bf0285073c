"""What a run leaves behind: results.json, the ledger of requirements, directories and parts."""
