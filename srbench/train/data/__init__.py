"""Make or read training images, procedural ones and photographs, and cut batches from them."""
