# SPDX-License-Identifier: Apache-2.0
# Sees to it that a build has what it needs; sourced by ./build and ./jvfio.

. "${BASH_SOURCE[0]%/*}/jdk.sh"

# What the tests compile C with, to compare layouts with the kernel's own headers: for this machine and for POWER.
C_PACKAGES=(gcc libc6-dev linux-libc-dev gcc-powerpc64le-linux-gnu linux-libc-dev-ppc64el-cross libc6-dev-ppc64el-cross)

# Sets JAVA_HOME. What is missing is told at once; root gets it installed, somebody at a terminal is asked, and others are told what to run.
# set_up TESTS: whether the tests' compilers are wanted, 0 or 1; without them a build goes on, and the tests that need them say so
set_up() {
  local tests=$1 missing=() package install
  if ! JAVA_HOME=$(find_jdk_25 2>/dev/null); then missing+=(openjdk-25-jdk-headless); fi
  export JAVA_HOME
  if ! command -v mvn >/dev/null; then missing+=(maven); fi
  if [ "$tests" = 1 ] && command -v dpkg-query >/dev/null; then
    for package in "${C_PACKAGES[@]}"; do
      if [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" != "ii " ]; then missing+=("$package"); fi
    done
  fi
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  echo "jvfio: a build needs what this machine lacks: ${missing[*]}" >&2
  if ! command -v apt-get >/dev/null; then
    echo "jvfio: these are Debian's names; install what your system has for them, and start again" >&2
  else
    install="apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
      if command -v sudo >/dev/null; then install="sudo sh -c '$install'"; else install="su -c '$install'"; fi
    fi
    if [ "$(id -u)" -eq 0 ] || asked "$install"; then
      echo "jvfio: installing them, which takes a minute or two: $install" >&2
      DEBIAN_FRONTEND=noninteractive bash -c "$install" >&2 || echo "jvfio: that failed; the reason stands above" >&2
    else
      echo "jvfio: run this, and start again: $install" >&2
      [ -n "$JAVA_HOME" ] && command -v mvn >/dev/null
      return
    fi
  fi
  JAVA_HOME=$(find_jdk_25) && command -v mvn >/dev/null
}

# Whether somebody at a terminal says yes.
asked() {
  local answer
  [ -t 0 ] && [ -t 2 ] || return 1
  read -r -p "jvfio: run $1 now? [y/N] " answer
  [ "$answer" = y ] || [ "$answer" = Y ]
}
