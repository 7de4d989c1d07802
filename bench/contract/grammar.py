"""The contract file, described once: its keys, what each holds, and a line of help.

``load`` reads by this description, ``schema`` and ``reference`` print it.
"""

from __future__ import annotations

from bench import registry
from bench.artifacts import KINDS
from bench.contract.host_words import Cores, HostName, Interpreter
from bench.contract.kinds import AnyScalar, Choice, ListOf, Number, Schema, Text, Whole
from bench.contract.limits import LimitsKind
from bench.contract.model import Place
from bench.contract.nodes import Scalar
from bench.contract.paths import FilePath
from bench.contract.tables import Dimension, Field, Record, Short, Table

FORMAT = 1
"""The version of the contract format that this program reads."""
DTYPES = (
    *("float32", "float64", "float16", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
PRECISIONS = ("fp32", "tf32", "bf16", "fp16", "fp64")
RESIDENCIES = ("host", "device")


class _Format(Whole):
    """The version of the format; a newer one is refused with what to do."""

    def __init__(self) -> None:
        super().__init__("the version of the contract format", 1, FORMAT, FORMAT)

    def value(self, node: Scalar) -> int:
        if node.text.isdecimal() and len(node.text) < 9 and int(node.text) > FORMAT:
            raise ValueError(f"this contract has format {node.text}; this benchpact reads {FORMAT}: update benchpact")
        return super().value(node)


class _Sha256(Text):
    """64 hexadecimal digits, lower case once read."""

    def __init__(self) -> None:
        super().__init__("a SHA-256", "9f86d081… (64 hexadecimal digits)", r"[0-9A-Fa-f]{64}", 64)

    def value(self, node: Scalar) -> str:
        if not node.text.isalnum() or len(node.text) != 64:
            raise ValueError(f"this has {len(node.text)} characters, a SHA-256 has 64 hex digits: see `sha256sum FILE`")
        return super().value(node).lower()

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


class Backend(Choice):
    """The name of a backend. Whether it is installed is looked at for the targets that are used, by ``refused``."""

    def __init__(self) -> None:
        super().__init__("a backend", registry.names, torch="pytorch", ort="onnxruntime", onnx="onnxruntime")

    def value(self, node: Scalar) -> str:
        return Text("a backend", "onnxruntime").value(node)

    def refused(self, place: Place, name: str) -> str | None:
        """Why no target can name this backend; None where one can."""
        try:
            super().value(Scalar(place, name, True))
        except ValueError as error:
            return f"`backend`: {error}"
        return None


class ArtifactKind(Text):
    """A kind of artifact. Whether one that is not read here is any backend's is told by ``foreign_kinds``."""

    usual = tuple(KINDS)

    def __init__(self) -> None:
        super().__init__("a kind of artifact", "onnx", r"[A-Za-z][A-Za-z0-9_.\-]*", 40)


_NAME = Text("a name", "image")
_ENTRY = r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*"
_SYNONYMS = {
    "float": "float32", "single": "float32", "double": "float64", "half": "float16", "int": "int64", "long": "int64",
    "short": "int16", "byte": "uint8", "boolean": "bool", "fp32": "float32", "fp16": "float16", "f32": "float32",
    "i64": "int64", "i32": "int32",
}  # fmt: skip

BENCHPACT = Field("benchpact", _Format(), f"The version of the contract format: {FORMAT}", required=True)

NAME = Field(
    "name", Text("a name", "digits-cnn"), "The model's name; compared with what the artifacts say", required=True
)
VERSION = Field(
    "version",
    Text("a version", "1.0.0", most=80),
    "The model's version, as text; compared with what the artifacts say",
    required=True,
)
FRAMEWORK = Field("framework", Text("a framework", "pytorch"), "What made it; compared with what the artifacts say")
FRAMEWORK_VERSION = Field(
    "framework version", Text("a version", "2.13.0", most=80), "Its version; compared with what the artifacts say"
)
PARAMETERS = Field(
    "parameters",
    Whole("a number of parameters", 0, 10**15, 9930),
    "Number of parameters as the framework counts them, without buffers; compared with what the artifacts hold",
)
FACTORY = Field(
    "factory",
    Text("a function, `module:function`", "my_model:build", _ENTRY),
    "Your own code that builds an eager module, whose weights a `safetensors` or `state-dict` artifact holds;"
    " runs only with --allow-code",
)
MODEL = Record(
    "what the model is", (NAME, VERSION, FRAMEWORK, FRAMEWORK_VERSION, PARAMETERS, FACTORY), ref="model"
)  # fmt: skip

PATH = Field(
    "path", FilePath("digits.onnx"), "The file, relative to the contract's folder and inside it", required=True
)
SHA256 = Field("sha256", _Sha256(), "Its SHA-256: says that it is still the same file")
FILE = Record("a file", (PATH, SHA256), ref="file")
FILES = Field(
    "files",
    ListOf(Short(FILE, PATH), "a list of files", "[{path: digits.bin}]", 64),
    "Further files that belong to it: OpenVINO's weights, ONNX external data",
)
ARTIFACT = Record("a file of the model", (PATH, SHA256, FILES), ref="artifact")

DTYPE = Field("dtype", Choice("a dtype", DTYPES, **_SYNONYMS), "The elements' type, by numpy's name", required=True)
SHAPE = Field(
    "shape",
    ListOf(Dimension(), "a list of sizes and names", "[batch, 1, 8, 8]", 16),
    "Sizes, and names for free dimensions; [] for a scalar",
    required=True,
)
RANGE = Field(
    "range",
    ListOf(Number("a number", "0"), "lowest and highest value", "[0, 1]", 2, exactly=2),
    "Lowest and highest value to generate where there are no samples, [0, 1] by default; samples beyond it are noted",
)
INPUT = Record("dtype and shape", (DTYPE, SHAPE, RANGE), ref="input")
OUTPUT = Record("dtype and shape", (DTYPE, SHAPE), ref="output")

SAMPLES = Field(
    "samples",
    FilePath("val.npz"),
    "An .npz with one array an input; the first axis counts samples. Where the batch size is fixed, at 4 for one, their"
    " number is a multiple of 4",
)
LABELS = Field("labels", FilePath("labels.npz"), "The ground labels: an .npz with one array `labels`, or an .npy")
PREDICTIONS = Field("predictions", FilePath("reference.npz"), "The reference model's outputs: an .npz, one array each")
OUTPUT_NAME = Field(
    "output", Text("an output", "logits"), "The output that labels and accuracy are about; the first one by default"
)
VALIDATION = Record("the validation files", (SAMPLES, LABELS, PREDICTIONS, OUTPUT_NAME), ref="validation")

BACKEND = Field("backend", Backend(), "The framework that runs the model; `benchpact backends` lists them")
DEVICE = Field(
    "device", Text("a device", "cpu", r"[A-Za-z][A-Za-z0-9_.\-]*(?::[0-9]{1,3})?", 40), "The device; cpu by default"
)
THREADS = Field("threads", Whole("a number of threads", 1, 4096, 1), "Threads of one query; 1 by default")
PRECISION = Field(
    "precision",
    Choice("a precision", PRECISIONS, float32="fp32", float16="fp16", half="fp16", bfloat16="bf16", float64="fp64"),
    "The arithmetic asked for; fp32 by default. On NVIDIA's GPUs fp32 never means tf32, which is a word of its own",
)
RESIDENCY = Field(
    "residency", Choice("a residency", RESIDENCIES, cpu="host", gpu="device", cuda="device"),
    "Where inputs live when the clock starts; host by default",
)  # fmt: skip
OPTIONS = Field(
    "options",
    Table(_NAME, AnyScalar(), "options of the backend, like `{graph optimization: all}`", 64),
    "Options that only this backend knows; `benchpact backends` lists them with what each takes",
)
HOST = Field("host", HostName(), "Where it runs: another machine, as your own `ssh` names it; this one by default")
CORES = Field("cores", Cores(), "The cores that its process may run on; all by default")
PYTHON = Field(
    "python",
    Interpreter(),
    "The Python that runs it on `host`; by default what `benchpact device prepare` made",
)
LIMITS = Field("limits", LimitsKind(), "What is owed; a target's own limits go before the common ones")
TARGET = Record(
    "where and how to run",
    (BACKEND, DEVICE, THREADS, PRECISION, RESIDENCY, HOST, CORES, PYTHON, OPTIONS, LIMITS),
    ref="target",
)
TARGETS = Field(
    "targets",
    Table(
        Text("a target's name", "ort-1", most=80),
        Short(TARGET, BACKEND, empty=True),
        "targets by name, like `ort-1: {backend: onnxruntime}`",
        200,
        least=1,
    ),
    "Where it must run, by name. A word is short for its backend; with nothing, the site's targets file describes it",
    required=True,
)

ARTIFACTS = Field(
    "artifacts",
    Table(ArtifactKind(), Short(ARTIFACT, PATH), "files like `onnx: {path: m.onnx}`", 16),
    "The model's files by kind; all of the same model",
)
INPUTS = Field(
    "inputs",
    Table(_NAME, INPUT, "inputs like `image: {dtype: float32, shape: [batch, 1, 8, 8]}`", 256, least=1),
    "What goes in, by name",
    required=True,
)
OUTPUTS = Field(
    "outputs",
    Table(_NAME, OUTPUT, "outputs like `logits: {dtype: float32, shape: [batch, 10]}`", 256, least=1),
    "What comes out, by name",
    required=True,
)
DIMS = Field(
    "dims",
    Table(_NAME, Whole("a size", 1, 2**31 - 1, 640), "sizes like `{height: 640}`", 256),
    "Values of the free dimensions other than the batch",
)
BATCH = Field(
    "batch",
    Text("a free dimension", "batch"),
    "The free dimension that counts samples: the first of an input's shape. Left out, the batch size is fixed: each"
    " query is one batch of the inputs' first dimension",
)
STATE = Field(
    "state",
    Table(_NAME, _NAME, "`{input: output}`", 64),
    "Inputs that an output of the query before feeds, as in a recurrent model: `{input: output}`",
)
MODEL_FIELD = Field("model", MODEL, "What the model is", required=True)
VALIDATION_FIELD = Field(
    "validation", VALIDATION, "The validation set; without samples, inputs are generated from the ranges"
)
CONTRACT = Record(
    "a contract",
    (
        BENCHPACT,
        MODEL_FIELD,
        ARTIFACTS,
        INPUTS,
        OUTPUTS,
        DIMS,
        BATCH,
        STATE,
        VALIDATION_FIELD,
        LIMITS,
        TARGETS,
    ),
)
TARGETS_FILE = Record("a targets file", (Field("benchpact", _Format(), BENCHPACT.help), TARGETS))
