"""The verdict on a campaign: who leads, by how much, and whether that is more than noise. Pure."""
