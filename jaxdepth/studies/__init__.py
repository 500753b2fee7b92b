"""What is made of many runs."""
