"""The bed's programs and images: built from Go modules and Debian packages, or pulled."""
