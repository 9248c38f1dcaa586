"""Connections to the databases that Holdfast looks after."""
