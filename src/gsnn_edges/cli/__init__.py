"""The gsnn-edges command: one file for each of its commands, loaded when it is asked for."""
