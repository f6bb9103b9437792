"""Running a plan of cells: image by image, in this process or by workers, into records."""
