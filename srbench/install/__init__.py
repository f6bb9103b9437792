"""Download published files, check them and put them in place, so that nothing half-done is ever used.

``source`` says where a file is published, ``obtain`` brings it to this machine, ``archives`` unpacks it.
(Data sets are put together by :mod:`srbench.datasets.downloads`, models by :mod:`srbench.zoo.published`.)
"""
