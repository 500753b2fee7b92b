"""Reading and writing of picture and depth files, and downloads."""
