"""One file for each kind of source, and the choice among them."""
