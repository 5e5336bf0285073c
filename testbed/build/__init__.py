"""The bed's programs and images: made of Go modules and Debian packages, or pulled."""
