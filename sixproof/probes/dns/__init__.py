"""DNS: questions, answers and the truth about them."""
