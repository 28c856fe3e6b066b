"""From 360° recordings to clips: windows and yaws, rules, projected pictures, rotated sound, labels."""
