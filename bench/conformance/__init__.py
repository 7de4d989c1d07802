"""The conformance suite: what every adapter owes the harness, a third party's too.

Inherit ``AdapterConformance`` in a test module, name the adapter, and say what it runs; pytest does the
rest. ``onnx_examples`` and ``wide_onnx_example`` are models ready to use.
"""

from bench.conformance.examples import Example, onnx_examples, wide_onnx_example
from bench.conformance.suite import AdapterConformance

__all__ = ["AdapterConformance", "Example", "onnx_examples", "wide_onnx_example"]
