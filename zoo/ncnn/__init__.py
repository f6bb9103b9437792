"""Read networks out of ncnn's two files: the ``.param`` wires layers, the ``.bin`` has their numbers.

Some published networks are distributed in this form alone. ``files`` reads the two, ``wiring`` follows the
blobs, ``networks`` finds the architectures spandrel knows in them and names their weights as it does. Nothing
is guessed: a network is what its wires say, and what they do not say exactly is refused.

The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""
