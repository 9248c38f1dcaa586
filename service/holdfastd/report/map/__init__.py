"""The relationship map: as SVG and as text."""
