"""The agent that runs in probe pods, and the messages that it shares with the runner."""
