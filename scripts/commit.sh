# SPDX-License-Identifier: Apache-2.0
# Tells which commit a build is of; sourced by ./build and ./jvfio.

# Prints the commit of a checkout, with a + behind it where files have changed since; "unknown commit" outside of one.
commit_of() {
  git -C "$1" describe --always --exclude '*' --abbrev=12 --dirty=+ 2>/dev/null || echo "unknown commit"
}
