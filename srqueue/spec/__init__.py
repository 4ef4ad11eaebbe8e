"""What a training job is, and how presets expand into one."""
