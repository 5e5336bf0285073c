"""The kinds of beds there are, one TOML file each."""
