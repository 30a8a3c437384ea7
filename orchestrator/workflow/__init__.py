"""Workflows: YAML to a checked plan to a langgraph graph. The only place that knows langgraph and networkx."""
