#!/bin/bash
# From upstream's source.
set -euo pipefail

export BUILD_VERSION=$PKG_VERSION MAX_JOBS=$CPU_COUNT
# What a machine happens to have of image and video libraries is not looked for: those of the environment alone.
export TORCHVISION_INCLUDE=$PREFIX/include TORCHVISION_LIBRARY=$PREFIX/lib
export TORCHVISION_USE_FFMPEG=0 TORCHVISION_USE_VIDEO_CODEC=0 TORCHVISION_USE_NVJPEG=0 TORCHVISION_USE_WEBP=0

if [ "$CUDA_VERSION" = None ]; then
  export FORCE_CUDA=0
else
  if ! nvcc=$(command -v nvcc) || ! "$nvcc" --version | grep -qF "release $CUDA_VERSION,"; then
    echo "torchvision needs nvcc of CUDA $CUDA_VERSION on PATH: load its module, or change cuda_version" >&2
    exit 1
  fi
  CUDA_HOME=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
  export CUDA_HOME FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST=$CUDA_ARCHITECTURES
fi

"$PYTHON" -m pip install . --no-deps --no-build-isolation --no-index --disable-pip-version-check -v
