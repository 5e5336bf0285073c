"""The agent that runs in probe pods, and the messages that it shares with the runner.

All of it but launcher.py is delivered to pods, in the same folders: standard library only, Python
3.10, and it imports no other package of this library.
"""
