# SPDX-License-Identifier: Apache-2.0
# Kernels: Debian's own image, or one built from Debian's source with a tinyconfig and the lane's options.
# A kernel's directory holds `linux` (what QEMU boots), `version` and, for Debian's, lib/modules.

# kernel_dir: where this lane's kernel is. A kernel's name says what it was made from.
kernel_dir() {
  case $KERNEL in
    debian) echo "$CACHE/kernel-$ARCH-$(key "${KERNEL_SUITES[*]} $KERNEL_PACKAGE" "$(declare -f debian_kernel)")" ;;
    source) echo "$CACHE/kernel-$ARCH-$(key "$KERNEL_SOURCE ${KERNEL_SHA256[*]}" "$KERNEL_OPTIONS" "$(declare -f build_kernel)")" ;;
    *) die "lane $LANE: KERNEL=$KERNEL is neither debian nor source" ;;
  esac
}

prepare_kernel() {
  case $KERNEL in
    debian)
      host_packages kmod
      cached "$(kernel_dir)" "kernel $KERNEL_PACKAGE for $ARCH" "a minute on one processor; 100 MB are fetched" debian_kernel
      ;;
    source)
      # shellcheck disable=SC2046 # a list of packages
      host_packages gcc make flex bison bc libelf-dev libssl-dev xz-utils $(cross_packages)
      cached "$(kernel_dir)" "kernel of $KERNEL_SOURCE for $ARCH" "$((1 + 14 / $(nproc))) minutes on $(processors), if nothing else wants them" source_kernel
      ;;
  esac
}

debian_kernel() {
  local directory=$1 suite=${KERNEL_SUITES[0]} version
  # The package that is installed by a user only depends on the image, whose name has the version in it.
  unpack "$directory" "$suite for $ARCH" "$(images "$suite")" "$KERNEL_PACKAGE"
  version=$(basename "$directory"/boot/vmlinu[xz]-*)
  version=${version#vmlinu?-}
  mv "$directory/boot/"vmlinu[xz]-"$version" "$directory/linux"
  mkdir -p "$directory/lib"
  mv "$directory/usr/lib/modules" "$directory/lib/modules"
  depmod -b "$directory" "$version"
  rm -rf "${directory:?}/boot" "${directory:?}/usr"
  echo "$version" >"$directory/version"
}

# images SUITE: the packages with an image that KERNEL_PACKAGE depends on there, and the pinned ones, as candidates for KERNEL_PACKAGE.
images() {
  local suite=$1 site names
  site=$(mirror "$suite")
  foreign_update "$ARCH" "$suite" || true
  mapfile -t names < <(foreign_apt apt-cache "$ARCH" "$suite" show "$KERNEL_PACKAGE" 2>/dev/null |
    sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p')
  {
    if [ ${#names[@]} -gt 0 ]; then indexed "$ARCH" "$suite" "${names[@]}" | newest | candidates "$site" index; fi
    pinned "$ARCH" "$suite" "linux-image-[0-9].*-${KERNEL_PACKAGE#linux-image-}" | candidates "$site" pinned
  } | awk -v name="$KERNEL_PACKAGE" '{ $1 = name; print }'
}

# kernel_source DIRECTORY: fetches the source package, a version of it that is known by its checksum: a suite's next update is noticed, not silently
# tested.
kernel_source() {
  local directory=$1 table known sum url
  table=$(sources)
  known=$(awk -v sums=" ${KERNEL_SHA256[*]} " 'index(sums, " " $2 " ")' <<<"$table")
  # The newest of each mirror.
  awk -v sums=" ${KERNEL_SHA256[*]} " '{ site = $3; sub("/pool/.*", "", site) }
    $4 == "index" && !seen[site]++ && !index(sums, " " $2 " ") { print $2, $3 }' <<<"$table" | while read -r sum url; do
    say "not taken, for lane $LANE records other checksums: ${url##*/} (SHA-256 $sum)"
  done
  obtain "$directory" "${KERNEL_SUITES[*]}" "$known" "$KERNEL_SOURCE" || exit 1
  mv "$directory/$KERNEL_SOURCE"_*.deb "$directory/source.deb"
}

# sources: the candidates for KERNEL_SOURCE in all its suites. Its architecture is "all", but not every old suite lists every architecture.
sources() {
  local suite site
  for suite in "${KERNEL_SUITES[@]}"; do
    site=$(mirror "$suite") || continue
    indexed amd64 "$suite" "$KERNEL_SOURCE" | candidates "$site" index
  done
  for suite in "${KERNEL_SUITES[@]}"; do
    site=$(mirror "$suite" 2>/dev/null) || continue
    pinned amd64 "$suite" "$(literal "$KERNEL_SOURCE")" | candidates "$site" pinned
  done
}

# source_file: the package the user has at hand, named by an environment variable like JVFIO_LINUX_SOURCE_5_10.
source_file() {
  local variable
  variable=JVFIO_$(tr 'a-z.-' 'A-Z__' <<<"$KERNEL_SOURCE")
  echo "${!variable:-}"
}

check_source() {
  local checksum
  checksum=$(sha256sum <"$1" | cut -d' ' -f1)
  [[ " ${KERNEL_SHA256[*]} " == *" $checksum "* ]]
}

source_kernel() {
  local directory=$1 build=$1/build file
  mkdir "$build"
  file=$(source_file)
  if [ -n "$file" ]; then
    check_source "$file" || die "$file has none of the checksums recorded in the lane's file"
    cp "$file" "$build/source.deb"
  else
    kernel_source "$build"
  fi
  build_kernel "$directory" "$build"
  rm -rf "$build"
}

build_kernel() {
  local directory=$1 build=$2 option tree make
  dpkg-deb -x "$build/source.deb" "$build"
  tar -C "$build" -xf "$build/usr/src/$KERNEL_SOURCE.tar.xz"
  tree=$build/$KERNEL_SOURCE
  make=(make -C "$tree" ARCH="$(kernel_arch)" CROSS_COMPILE="$(cross_prefix)" KCFLAGS=-Wno-error)
  log "config-$KERNEL_SOURCE-$ARCH" "${make[@]}" tinyconfig
  for option in $KERNEL_OPTIONS; do
    case $option in
      *=n) echo "# CONFIG_${option%=n} is not set" ;;
      *=*) echo "CONFIG_$option" ;;
      *) echo "CONFIG_$option=y" ;;
    esac
  done >"$build/options"
  cat "$build/options" >>"$tree/.config"
  log "config-$KERNEL_SOURCE-$ARCH" "${make[@]}" olddefconfig
  # An option whose dependencies are missing vanishes without a word, and the guest would fail much later.
  while read -r option; do
    case $option in
      \#*) ! grep -q "^${option:2:-11}=" "$tree/.config" ;;
      *) grep -qx "$option" "$tree/.config" ;;
    esac || die "the kernel's configuration did not take: $option"
  done <"$build/options"
  log "build-$KERNEL_SOURCE-$ARCH" "${make[@]}" -j"$(nproc)" "$(kernel_target)"
  cp "$tree/$(kernel_image)" "$directory/linux"
  if [ "$(kernel_target)" = vmlinux ]; then "$(cross_prefix)strip" -s "$directory/linux"; fi
  "${make[@]}" -s kernelrelease | tail -1 >"$directory/version"
  cp "$tree/.config" "$directory/config"
}

# kernel_modules NAME…: the files to load, dependencies first, for a kernel that has modules.
kernel_modules() {
  local directory module
  directory=$(kernel_dir)
  for module; do modprobe -d "$directory" -S "$(cat "$directory/version")" --show-depends "$module" || exit; done |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}
