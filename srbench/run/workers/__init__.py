"""Plans on several devices and machines: split into tasks and run by workers, who write the records."""
