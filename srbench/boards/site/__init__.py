"""Make the leaderboard a static page: a pure function of stored records, like every leaderboard."""
