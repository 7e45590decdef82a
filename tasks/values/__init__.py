"""Values as answers hold them: masks as files, run lengths and polygons, rounded numbers.

May import tasks. Knows no model.
"""
