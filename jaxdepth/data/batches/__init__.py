"""Training and evaluation batches: order, augmentation, and the two paths that make them."""
