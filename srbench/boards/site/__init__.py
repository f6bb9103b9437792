"""The leaderboard as a static page: a pure function of stored records, like every other leaderboard."""
