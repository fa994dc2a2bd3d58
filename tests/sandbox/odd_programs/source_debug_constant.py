print(__debug__)
assert not __debug__, "assertions are on"
