"""Getting published files: download, check, unpack and put in place, so that nothing half-done is ever used.

``source`` says where a file is published, ``obtain`` brings it here, ``archives`` unpacks it, ``sets`` puts
a data set together and registers it. (Models are installed by :mod:`srbench.zoo.published`.)
"""
