"""Make and check entries: one model's results under the fixed protocol, in one self-contained JSON file.

``srbench submit`` makes one, ``srbench validate`` checks it, and :mod:`srbench.entries.board` makes the table
of ``leaderboards/entries/`` from them.
"""
