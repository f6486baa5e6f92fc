"""The command line. main.py is the entry; each command has a file.

Nothing here imports torch before a command runs.
"""
