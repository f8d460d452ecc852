"""Physics: numpy in, numpy out, one topic a file, no I/O."""
