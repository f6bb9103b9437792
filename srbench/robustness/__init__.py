"""`srbench attack`: its plan, the curves of its records, and whether the attack was strong."""
