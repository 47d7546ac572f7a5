#!/bin/bash
set -euo pipefail

settings=$RECIPE_DIR/activation/$NETWORK.json
if [ ! -e "$settings" ]; then
  echo "nccl_network is $NETWORK; there are settings for $(cd "$RECIPE_DIR/activation" && echo ./*.json)" >&2
  exit 1
fi
if ! nvcc=$(command -v nvcc) || ! "$nvcc" --version | grep -qF "release $CUDA_VERSION,"; then
  echo "nccl needs nvcc of CUDA $CUDA_VERSION on PATH: load its module, or change cuda_version" >&2
  exit 1
fi
cuda=$(dirname "$(dirname "$(readlink -f "$nvcc")")")

# The host's libfabric, as its own pkg-config file says, or else where its program fi_info lies.
if ! fabric=$(pkg-config --variable=prefix libfabric 2>/dev/null) || ! folder=$(pkg-config --variable=libdir libfabric); then
  if ! info=$(command -v fi_info); then
    echo "nccl needs the host's libfabric: neither pkg-config nor fi_info on PATH knows it (load its module)" >&2
    exit 1
  fi
  fabric=$(dirname "$(dirname "$(readlink -f "$info")")")
  folder=$fabric/lib
  [ ! -e "$fabric/lib64/libfabric.so" ] || folder=$fabric/lib64
fi

# 8.0;9.0 becomes one -gencode each.
generate=
IFS=';' read -r -a architectures <<<"$CUDA_ARCHITECTURES"
for architecture in "${architectures[@]}"; do
  number=${architecture/./}
  generate+=" -gencode=arch=compute_$number,code=sm_$number"
done

make -C nccl -j"$CPU_COUNT" src.build CUDA_HOME="$cuda" NVCC_GENCODE="${generate# }" PREFIX="$PREFIX"
make -C nccl src.install CUDA_HOME="$cuda" PREFIX="$PREFIX"
rm -f "$PREFIX/lib/libnccl_static.a"

cd aws-ofi-nccl
./autogen.sh
# No MPI: it would be for the plugin's own tests.
MPICC=/bin/false LDFLAGS="-Wl,-rpath,$folder" ./configure \
  --prefix="$PREFIX" --libdir="$PREFIX/lib" --disable-tests --with-cuda="$cuda" --with-libfabric="$fabric"
make -j"$CPU_COUNT"
make install
rm -f "$PREFIX"/lib/libnccl-net.{a,la}

install -D -m 644 "$settings" "$PREFIX/etc/conda/env_vars.d/nccl.json"
