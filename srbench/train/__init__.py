"""Train RSR and everything it is compared with: one trainer, recipes that differ in their degradation.

Importing this package costs nothing; torch loads with the first module that needs it.
"""
