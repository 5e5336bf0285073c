"""The pages that people read: the summary in the terminal and overview.html."""
