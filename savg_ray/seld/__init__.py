"""Stereo sound event localisation and detection: features, events, labels."""
