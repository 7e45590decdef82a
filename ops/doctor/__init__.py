"""`wherry doctor`: what could be wrong with a fleet, found by looking at it once.

`facts` asks Redis, the blob store, the API and this machine, and judges nothing; the checks judge,
and ask nobody. May import every room but samples.
"""
