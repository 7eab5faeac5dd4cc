# SPDX-License-Identifier: Apache-2.0
# Finds a JDK 25; sourced by ./build, ./jvfio and lab/run.

# Whether a directory has a JDK 25. Its release file answers without starting a JVM, or any other program, which would cost more than the rest of the launcher.
is_jdk_25() {
  local line
  [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 1
  while read -r line; do
    case $line in 'JAVA_VERSION="25.'* | 'JAVA_VERSION="25"') return 0 ;; esac
  done <"$1/release"
  return 1
}

# Prints the home of a JDK 25, or says what to install and fails.
find_jdk_25() {
  local candidate java found=()
  java=$(command -v java || true)
  if [ -n "$java" ]; then java=$(readlink -f "$java"); fi
  for candidate in "${JAVA_HOME:-}" "${java%/bin/java}" /usr/lib/jvm/* /opt/*jdk* /opt/java/* "$HOME"/.sdkman/candidates/java/*; do
    [ -n "$candidate" ] || continue
    if is_jdk_25 "$candidate"; then
      echo "$candidate"
      return 0
    fi
    [ -x "$candidate/bin/javac" ] || continue
    found+=("$candidate")
  done
  {
    echo "jvfio: no JDK 25 found in JAVA_HOME, PATH, /usr/lib/jvm, /opt or SDKMAN."
    [ ${#found[@]} -eq 0 ] || echo "jvfio: these are of another version: ${found[*]}"
    echo "jvfio: install one and start again: on Debian 13, apt-get install openjdk-25-jdk-headless;"
    echo "jvfio: where the system has none (Debian 12), temurin-25-jdk from Adoptium's apt repository, or another vendor's with JAVA_HOME set to it."
  } >&2
  return 1
}
