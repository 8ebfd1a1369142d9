"""Version of mmmsf, which setup.py reads without importing the package."""

__version__ = '0.2.0'
