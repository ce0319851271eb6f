"""What `init` does: answers become a configuration, folders, notes for people, and a systemd unit."""
