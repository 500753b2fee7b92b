"""The pinhole camera, and where a picture lies in a frame."""
