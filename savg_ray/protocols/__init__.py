"""What each evaluation protocol makes of a clip before a network sees it."""
