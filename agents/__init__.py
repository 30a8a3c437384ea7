"""Agents: a prompt and a parser around a model."""
