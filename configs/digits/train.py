"""Train the demo's model on scikit-learn's digits and export it in every format that a backend takes.

    python configs/digits/train.py [--out FOLDER] [--epochs N]

Needs torch, onnx, onnxscript, openvino and scikit-learn (`pip install -e '.[cpu,torch,test]'`). Writes the
artifacts, the held-out samples, their labels and the model's own predictions, and prints what a contract
needs: the number of parameters, the accuracy, and the SHA-256 of every file.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import warnings
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

SEED = 20260101
EPOCHS = 25
BATCH = 64
HELD_OUT = 360
"""Images that the model never sees in training: the validation set of the contract."""

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class DigitsCnn(nn.Module):
    """Two convolutions, one pooling, one linear layer: 9 930 parameters, no buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 10),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits (batch, 10) of images (batch, 1, 8, 8) whose pixels lie in 0 to 1."""
        logits: Tensor = self.layers(image)
        return logits


def load_split() -> tuple[Floats, Labels, Floats, Labels]:
    """Images and labels to learn from, then the held-out ones: a fixed, seeded split."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(images))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    return images[rest], labels[rest], images[held], labels[held]


def train(images: Floats, labels: Labels, epochs: int) -> DigitsCnn:
    """The trained model; the same on every run with the same versions."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model, order = DigitsCnn(), np.random.default_rng(SEED)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loss_of = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for index in np.array_split(order.permutation(len(images)), len(images) // BATCH):
            optimizer.zero_grad()
            loss_of(model(torch.from_numpy(images[index])), torch.from_numpy(labels[index])).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def export_onnx(model: DigitsCnn, example: Tensor, path: Path) -> None:
    """One ONNX file with a dynamic batch and its weights inside."""
    import onnx

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations say nothing of the model
        program = torch.onnx.export(
            model,
            (example,),
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes={"image": {0: "batch"}},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for item in (*proto.graph.node, *proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        del item.metadata_props[:]  # the exporter notes the source lines, with this machine's paths
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def export_torchscript(model: DigitsCnn, example: Tensor, path: Path) -> None:
    """A traced module, less the records that note source lines with this machine's paths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that tracing is the older way
        torch.jit.trace(model, (example,)).save(str(path))  # type: ignore[no-untyped-call]
    with zipfile.ZipFile(path) as archive:
        records = [(one, archive.read(one)) for one in archive.infolist() if not one.filename.endswith(".debug_pkl")]
    with zipfile.ZipFile(path, "w") as archive:
        for info, data in records:
            archive.writestr(info, data)


def export_program(model: DigitsCnn, example: Tensor, path: Path) -> None:
    """A `torch.export` program with a dynamic batch."""
    program = torch.export.export(model, (example,), dynamic_shapes={"image": {0: torch.export.Dim("batch")}})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


def export_openvino(onnx_path: Path, path: Path) -> None:
    """OpenVINO IR made from the ONNX file, weights left in fp32."""
    import openvino  # type: ignore[import-untyped]

    openvino.save_model(openvino.convert_model(onnx_path), path, compress_to_fp16=False)


def main() -> None:
    """Train, export, and print what the contract needs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    options.add_argument("--epochs", type=int, default=EPOCHS)
    chosen = options.parse_args()
    out: Path = chosen.out
    out.mkdir(parents=True, exist_ok=True)
    images, labels, held_images, held_labels = load_split()
    model = train(images, labels, chosen.epochs)
    example = torch.from_numpy(held_images[:4])
    with torch.inference_mode():
        logits = model(torch.from_numpy(held_images)).numpy()
    export_onnx(model, example, out / "digits.onnx")
    export_torchscript(model, example, out / "digits.ts.pt")
    export_program(model, example, out / "digits.pt2")
    export_openvino(out / "digits.onnx", out / "digits.xml")
    np.savez_compressed(out / "validation.npz", image=held_images)
    np.savez_compressed(out / "labels.npz", labels=held_labels)
    np.savez_compressed(out / "reference.npz", logits=logits)
    print(f"parameters: {sum(one.numel() for one in model.parameters())}")
    print(f"top-1: {(logits.argmax(1) == held_labels).mean():.4f}")
    for path in sorted(one for one in out.iterdir() if one.stem.partition(".")[0] == "digits"):
        print(f"{path.name}: {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
