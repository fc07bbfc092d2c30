"""What each announcer's objects claim; pure functions from decoded values to the model. No I/O, no foreign library."""
