"""Geometry without configuration: polygons, which zone a pose is in, ways between zones."""
