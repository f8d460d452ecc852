"""Labels of the tracks: transfer from a classified scene, corrections by a person, and the lock of a label file."""
