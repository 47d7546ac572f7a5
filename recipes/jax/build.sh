#!/bin/bash
set -euo pipefail

"$PYTHON" -m pip install --no-deps --no-index --find-links "$SRC_DIR" --disable-pip-version-check -v "jax==$PKG_VERSION"
cp "$SP_DIR/jax-$PKG_VERSION.dist-info/LICENSE" "$SRC_DIR/LICENSE"
