#!/usr/bin/env bash
# Installs the npm packages of package-lock.json into a build directory, unless they are there.
set -euo pipefail

source=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: $0 DIRECTORY}
mkdir -p "$target"
cd "$target"
if cmp -s "$source/package-lock.json" installed.json; then exit 0; fi
cp "$source"/package.json "$source"/package-lock.json "$source"/.npmrc .
npm ci --ignore-scripts --prefer-offline
cp package-lock.json installed.json
