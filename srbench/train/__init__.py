"""Training: one trainer for RSR and everything it is compared with; recipes differ in their degradation.

Importing this package costs nothing; torch loads with the first module that needs it.
"""
