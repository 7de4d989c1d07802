"""TensorRT-RTX's interface in software: what the adapter uses of it is TensorRT's own."""

from tensorrt import *  # noqa: F403
from tensorrt import __version__ as __version__
