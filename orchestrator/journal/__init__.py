"""The record of every draw and decision."""
