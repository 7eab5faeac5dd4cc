# SPDX-License-Identifier: Apache-2.0
# Makes target/dist, from which jvfio runs; sourced by ./jvfio and lab/run.

. "${BASH_SOURCE[0]%/*}/setup.sh"
. "${BASH_SOURCE[0]%/*}/commit.sh"

# In the order in which they need each other.
DIST_MODULES=(linux core model sim nvme ops junit user usertools cli examples lab)

# Whether target/dist is there, complete, and newer than every source; says nothing.
dist_is_fresh() {
  local top=$1 java_home=$2 built=$1/target/dist/built
  [ -e "$built" ] && [ "$(<"$built")" = "$java_home" ] || return 1
  local newer
  # of what is in it: benchmarks and what tests share are not
  newer=$(cd "$top" && find pom.xml scripts/dist.sh ./*/pom.xml histogram/src/main "${DIST_MODULES[@]/%//src/main}" -newer "$built" -print -quit)
  [ -z "$newer" ]
}

# Builds target/dist where it is missing or old: jars in lib, an archive that makes the JVM start faster, and its options.
# One line on standard error says that it takes a while; what the build prints goes to target/build.log.
ensure_dist() {
  local top=$1 java_home=$2
  dist_is_fresh "$top" "$java_home" && return
  mkdir -p "$top/target"
  (
    # two commands started at once: the second waits for the build of the first
    flock 9
    dist_is_fresh "$top" "$java_home" && exit
    if can_compile_changed "$top" "$java_home"; then
      compile_changed "$top" "$java_home"
    else
      build_dist "$top" "$java_home"
    fi
  ) 9>"$top/target/.build.lock"
}

# Whether sources are all that has changed since target/dist was made.
can_compile_changed() {
  local top=$1 java_home=$2 built=$1/target/dist/built
  [ -e "$built" ] && [ "$(<"$built")" = "$java_home" ] || return 1
  [ -z "$(cd "$top" && find pom.xml scripts/dist.sh ./*/pom.xml histogram/src/main -newer "$built" -print -quit)" ]
}

# Compiles the modules that have changed, and those behind them, by javac alone: seconds, where Maven and its checks take minutes.
compile_changed() {
  local top=$1 java_home=$2 log=$1/target/build.log dist=$1/target/dist
  local module name version i stale=() names=() sources=()
  version=$(version_of "$top")
  for module in "${DIST_MODULES[@]}"; do
    if [ ${#stale[@]} -gt 0 ] || [ -n "$(find "$top/$module/src/main" -newer "$dist/built" -print -quit)" ]; then
      name=$(sed -n 's/^\(open \)\?module \([a-z.]*\) {.*/\2/p' "$top/$module/src/main/java/module-info.java")
      stale+=("$module")
      names+=("$name")
      sources+=(--module-source-path "$name=$top/$module/src/main/java")
    fi
  done
  echo "jvfio: compiling ${stale[*]}" >&2
  rm -rf "$dist/classes"
  if ! "$java_home/bin/javac" -proc:none -nowarn -d "$dist/classes" --module-path "$dist/lib:$dist/compile" "${sources[@]}" \
    --module "$(IFS=,; echo "${names[*]}")" >"$log" 2>&1; then
    echo "jvfio: the compiler says (all of it in target/build.log):" >&2
    head -n 20 "$log" >&2
    return 1
  fi
  for i in "${!stale[@]}"; do
    copy_resources "$top" "${stale[i]}" "$version" "$dist/classes/${names[i]}"
    "$java_home/bin/jar" --create --file "$dist/lib/$(jar_of "$top" "${stale[i]}")" --module-version "$version" -C "$dist/classes/${names[i]}" .
  done
  rm -rf "$dist/classes"
  finish_dist "$java_home" "$dist" "$log"
}

# Copies a module's resources, with what Maven would fill in.
copy_resources() {
  local top=$1 module=$2 version=$3 to=$4 from=$1/$2/src/main/resources file
  [ -d "$from" ] || return 0
  (cd "$from" && find . -type f) | while read -r file; do
    mkdir -p "$(dirname "$to/$file")"
    sed "s/\${project.version}/$version/; s/\${jvfio.commit}/$(commit_of "$top")/" "$from/$file" >"$to/$file"
  done
}

# The version of a checkout.
version_of() {
  sed -n '0,/<version>/s/.*<version>\(.*\)<\/version>.*/\1/p' "$1/pom.xml"
}

# The name of the jar that a module of a checkout makes.
jar_of() {
  echo "$(sed -n '0,/<artifactId>jvfio-/s/.*<artifactId>\(jvfio-.*\)<\/artifactId>.*/\1/p' "$1/$2/pom.xml")-$(version_of "$1").jar"
}

build_dist() {
  local top=$1 java_home=$2 log=$1/target/build.log dist=$1/target/dist
  set_up 0 || return 1
  echo "jvfio: building (a minute or two the first time; log in target/build.log)" >&2
  rm -rf "$dist"
  if ! "$top/build" -Dmaven.test.skip=true -Dspotless.check.skip=true -Pdist -pl cli,examples,lab -am package >"$log" 2>&1; then
    echo "jvfio: the build failed:" >&2
    grep -m 20 '^\[ERROR\]' "$log" >&2 || tail -n 20 "$log" >&2
    return 1
  fi
  for module in "${DIST_MODULES[@]}"; do
    cp "$top/$module/target/$(jar_of "$top" "$module")" "$dist/lib/"
  done
  library_jars "$top" "$java_home" "$dist"
  finish_dist "$java_home" "$dist" "$log"
}

# The libraries that are not taken as they come. picocli's own class files are of Java 5, which an archive of the JVM does not take.
library_jars() {
  local top=$1 java_home=$2 dist=$3 jar version
  cp "$top/histogram/target/$(jar_of "$top" histogram)" "$dist/lib/"
  jar=$(ls "$dist"/lib/picocli-*.jar)
  version=${jar##*/picocli-}
  rm -rf "$dist/picocli"
  mkdir -p "$dist/picocli/sources" "$dist/picocli/classes"
  (cd "$dist/picocli/sources" && "$java_home/bin/jar" --extract --file "../../sources/picocli-${version%.jar}-sources.jar")
  (cd "$dist/picocli" && "$java_home/bin/jar" --extract --file "$jar" META-INF/versions/9/module-info.class META-INF/MANIFEST.MF)
  "$java_home/bin/javac" -proc:none -nowarn -Xlint:none --release 25 -d "$dist/picocli/classes" "$dist"/picocli/sources/picocli/*.java
  "$java_home/bin/jar" --create --file "$jar" --date "$(timestamp_of "$top")" -C "$dist/picocli/classes" . \
    -C "$dist/picocli/META-INF/versions/9" module-info.class
  rm -rf "$dist/picocli"
}

# The time that everything in the jars of a checkout has.
timestamp_of() {
  sed -n 's/.*<project.build.outputTimestamp>\(.*\)<.*/\1/p' "$1/pom.xml"
}

# What a run needs beside the jars.
finish_dist() {
  local java_home=$1 dist=$2 log=$3
  rm -f "$dist/built"
  cat >"$dist/java.options" <<OPTIONS
--module-path "$dist/lib"
--enable-native-access=io.jvfio.linux
-XX:+UseSerialGC
-XX:TieredStopAtLevel=1
-XX:-UsePerfData
OPTIONS
  train_archive "$java_home" "$dist" >>"$log" 2>&1 ||
    echo "jvfio: no start-up archive could be made (see target/build.log); commands start a little slower" >&2
  echo "$java_home" >"$dist/built"
}

# For the making of an archive. It would keep which compiler each method came to as well, and what a short run has left to the first one stays there for ever:
# a server of months at half its speed.
TRAINING=(-XX:+UnlockDiagnosticVMOptions -XX:-AOTRecordTraining)

# An archive of the classes that commands load; tied to this JDK and these jars, so it is made here.
train_archive() {
  local java_home=$1 dist=$2
  "$java_home/bin/java" "@$dist/java.options" "${TRAINING[@]}" "-XX:AOTCacheOutput=$dist/jvfio.aot" \
    -m io.jvfio.cli/io.jvfio.cli.Rehearsal &&
    [ -s "$dist/jvfio.aot" ] &&
    printf '%s\n' "-XX:AOTCache=$dist/jvfio.aot" -Xlog:aot=off -Xlog:cds=off >>"$dist/java.options"
}
