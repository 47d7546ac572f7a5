#!/bin/bash
set -euo pipefail

projects=("jaxlib==$PKG_VERSION")
if [ "$CUDA_VERSION" != None ]; then
  projects+=("jax-cuda12-pjrt==$PKG_VERSION" "jax-cuda12-plugin==$PKG_VERSION")
fi
"$PYTHON" -m pip install --no-deps --no-index --find-links "$SRC_DIR" --disable-pip-version-check -v "${projects[@]}"
cp "$SP_DIR/jaxlib-$PKG_VERSION.dist-info/LICENSE.txt" "$SRC_DIR/LICENSE.txt"

if [ "$CUDA_VERSION" = None ]; then
  exit
fi
if ! nvcc=$(command -v nvcc); then
  echo "jaxlib with CUDA $CUDA_VERSION needs the host's CUDA: no nvcc on PATH (load its module)" >&2
  exit 1
fi
"$nvcc" --version | grep -qF "release $CUDA_VERSION," || {
  echo "$nvcc is not of CUDA $CUDA_VERSION: load another module, or change the axis cuda_version" >&2
  exit 1
}
# What the modules put on LD_LIBRARY_PATH is where the plugin's libraries find CUDA, cuDNN and CUPTI without them.
run_path=$PREFIX/lib
while IFS= read -r -d : folder; do
  if [ "${folder#/}" != "$folder" ] && [ -d "$folder" ]; then
    run_path+=:$folder
  fi
done <<<"${LD_LIBRARY_PATH:-}:"
for library in "$SP_DIR"/jax_cuda12_plugin/*.so "$SP_DIR"/jax_plugins/xla_cuda12/*.so; do
  patchelf --add-rpath "$run_path" "$library"
done
# The compiler's device code lies with nvcc.
cuda=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
mkdir -p "$PREFIX/etc/conda/env_vars.d"
printf '{"XLA_FLAGS": "--xla_gpu_cuda_data_dir=%s"}\n' "$cuda" >"$PREFIX/etc/conda/env_vars.d/jaxlib.json"
