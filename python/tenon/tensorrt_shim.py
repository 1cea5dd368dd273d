"""Importing this module makes `import tensorrt` give tenon.tensorrt."""

from tenon.tensorrt import install

install()
