"""Renders as jobs of a farm: one description, written for each engine. Nothing here renders."""
