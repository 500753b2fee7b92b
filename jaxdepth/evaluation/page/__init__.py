"""The page of a result, and of a comparison: one HTML file without outside addresses."""
