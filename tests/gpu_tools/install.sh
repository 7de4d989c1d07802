#!/usr/bin/env bash
# The environments of tests/gpu_tools, one for each package that installs the import name `onnxruntime`, and a software
# Vulkan device. Each is made once, under a name that tells what is in it; one that was left half made has no stamp.
# usage: install.sh FOLDER [PYTHON]
set -euo pipefail
folder=$1 python=${2:-python3}
mkdir -p "$folder"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

environment() {  # NAME REQUIREMENT...
  local place=$folder/$1 what="$version ${*:2}"
  [[ $(cat "$place/.made" 2>/dev/null) == "$what" ]] && return
  echo "installing ${*:2} into $place ..."
  "$python" -m venv --clear "$place"
  "$place/bin/python" -m pip --disable-pip-version-check install -q numpy "${@:2}"
  printf '%s' "$what" >"$place/.made"
}

swiftshader() {  # chromium's own software Vulkan and its loader, taken out of the Debian package
  local place=$folder/swiftshader
  [[ -e $place/.made ]] && return
  echo "fetching the software Vulkan device of chromium-common into $place ..."
  rm -rf "$place"
  mkdir -p "$place/package"
  (
    cd "$place/package"
    apt-get download -q chromium-common || { apt-get update -q && apt-get download -q chromium-common; }
    dpkg-deb --fsys-tarfile chromium-common_*.deb | tar -x -C "$place" --strip-components=4 \
      ./usr/lib/chromium/libvk_swiftshader.so ./usr/lib/chromium/libvulkan.so.1 ./usr/lib/chromium/vk_swiftshader_icd.json
  )
  rm -r "$place/package"
  touch "$place/.made"
}

environment openvino onnxruntime-openvino==1.24.1
environment webgpu onnxruntime-webgpu==1.27.0
environment cuda 'onnxruntime-gpu[cuda,cudnn]==1.31.1'
swiftshader
environment both onnxruntime-openvino==1.24.1 onnxruntime==1.24.1
environment tensorrt-rtx tensorrt-rtx-cu13==1.7.1.116
for release in 10.16.1.11 11.4.0.106; do  # TensorRT's own bindings, without TensorRT
  environment "tensorrt-${release%%.*}" tensorrt-cu13-bindings==$release cuda-bindings==13.5.0 pybind11-stubgen==2.5.5
done
