"""What a scene sounds like: voices, instruments and noises, encoded to ambisonics."""
