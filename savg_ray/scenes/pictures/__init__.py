"""What a scene looks like: rooms and people, raycast into equirectangular pictures."""
