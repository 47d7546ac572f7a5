#!/bin/bash
# From a wheel that the site built.
set -euo pipefail

"$PYTHON" -m pip install --no-deps --no-index --find-links "$SRC_DIR" --disable-pip-version-check -v \
  "torchvision==$PKG_VERSION"
for license in "$SP_DIR"/torchvision-"$PKG_VERSION"*.dist-info/{LICENSE,licenses/LICENSE}; do
  [ ! -e "$license" ] || cp "$license" "$SRC_DIR/LICENSE"
done
