"""Does a run that was killed end with the bits of one that was not? `srqueue verify-resume`."""
