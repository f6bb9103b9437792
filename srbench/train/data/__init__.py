"""Where training images come from: procedural ones, photographs, and how batches are cut from them."""
