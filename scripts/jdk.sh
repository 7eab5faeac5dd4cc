# SPDX-License-Identifier: Apache-2.0
# Finds a JDK 25; sourced by ./build, ./jvfio and lab/run.

# Prints the home of a JDK 25, or says what to install and fails.
find_jdk_25() {
  local candidate java found=()
  java=$(command -v java || true)
  for candidate in "${JAVA_HOME:-}" "${java:+$(dirname "$(dirname "$(readlink -f "$java")")")}" \
    /usr/lib/jvm/* /opt/*jdk* /opt/java/* "$HOME"/.sdkman/candidates/java/*; do
    [ -n "$candidate" ] && [ -x "$candidate/bin/javac" ] || continue
    # The release file answers without starting a JVM, which would cost more than the rest of the launcher.
    if grep -qs '^JAVA_VERSION="25[."]' "$candidate/release"; then
      echo "$candidate"
      return 0
    fi
    found+=("$candidate")
  done
  {
    echo "jvfio: no JDK 25 found in JAVA_HOME, PATH, /usr/lib/jvm, /opt or SDKMAN."
    [ ${#found[@]} -eq 0 ] || echo "jvfio: these are of another version: ${found[*]}"
    echo "jvfio: install one and start again: on Debian 13, apt-get install openjdk-25-jdk-headless;"
    echo "jvfio: elsewhere a JDK 25 from your vendor, with JAVA_HOME set to it."
  } >&2
  return 1
}
