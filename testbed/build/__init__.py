"""Making the bed's programs and images from Go modules and Debian packages."""
