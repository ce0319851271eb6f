"""What `doctor` does: tries what the daemon will have to do, and says what stands in its way and what to do."""
