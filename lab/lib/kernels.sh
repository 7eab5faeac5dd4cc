# Kernels: Debian's own image, or one built from Debian's source with a tinyconfig and the lane's options.
# A kernel's directory holds `linux` (what QEMU boots), `version` and, for Debian's, lib/modules.

# kernel_dir: where this lane's kernel is. A kernel's name says what it was made from.
kernel_dir() {
  case $KERNEL in
    debian) echo "$CACHE/kernel-$ARCH-$(key "${KERNEL_SUITES[*]} $KERNEL_PACKAGE" "$(declare -f debian_kernel)")" ;;
    source) echo "$CACHE/kernel-$ARCH-$(key "$KERNEL_SOURCE ${KERNEL_SHA256[*]}" "$KERNEL_OPTIONS" "$(declare -f source_kernel)")" ;;
    *) die "lane $LANE: KERNEL=$KERNEL is neither debian nor source" ;;
  esac
}

prepare_kernel() {
  case $KERNEL in
    debian)
      host_packages kmod
      cached "$(kernel_dir)" debian_kernel
      ;;
    source)
      # shellcheck disable=SC2046 # a list of packages
      host_packages gcc make flex bison bc libelf-dev libssl-dev xz-utils $(cross_packages)
      cached "$(kernel_dir)" source_kernel
      ;;
  esac
}

debian_kernel() {
  local directory=$1 suite=${KERNEL_SUITES[0]} image version
  say "fetching $KERNEL_PACKAGE of $suite for $ARCH"
  image=$(image_package "$suite")
  foreign_packages "$directory" "$ARCH" "$suite" "$image"
  version=${image#linux-image-}
  mv "$directory/boot/"vmlinu[xz]-"$version" "$directory/linux"
  mkdir -p "$directory/lib"
  mv "$directory/usr/lib/modules" "$directory/lib/modules"
  depmod -b "$directory" "$version"
  rm -rf "${directory:?}/boot" "${directory:?}/usr"
  echo "$version" >"$directory/version"
}

# image_package SUITE: the package with the image that KERNEL_PACKAGE depends on there, or the pinned one.
image_package() {
  local suite=$1 image='' sum path
  mkdir -p "$CACHE/logs"
  if twice foreign_update "$ARCH" "$suite" >"$CACHE/logs/kernel-$ARCH-$suite" 2>&1; then
    image=$(foreign_apt apt-cache "$ARCH" "$suite" show --no-all-versions "$KERNEL_PACKAGE" |
      sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p')
  else
    read -r sum path < <(pinned "$ARCH" "$suite" 'linux-image-[0-9].*') && image=$(basename "${path%%_*}")
  fi
  [ -n "$image" ] || die "no image of $KERNEL_PACKAGE in $suite for $ARCH"
  echo "$image"
}

# kernel_source DIRECTORY: fetches the source package from the first suite that has a known version of it, or the pinned one.
# Versions are known by their checksum: a suite's next update is noticed, not silently tested.
kernel_source() {
  local directory=$1 suite
  for suite in "${KERNEL_SUITES[@]}"; do
    # Its architecture is "all", but not every old suite lists every architecture.
    if foreign_update amd64 "$suite" && (cd "$directory" && fetch_source "$suite"); then return; fi
    say "$suite has no known $KERNEL_SOURCE"
  done
  for suite in "${KERNEL_SUITES[@]}"; do
    rm -f "$directory"/*.deb
    if pinned_download "$directory" amd64 "$suite" "$KERNEL_SOURCE" && mv "$directory/$KERNEL_SOURCE"_*.deb "$directory/source.deb" &&
      check_source "$directory/source.deb"; then
      return
    fi
  done
  return 1
}

fetch_source() {
  local version
  for version in $(foreign_apt apt-cache amd64 "$1" madison "$KERNEL_SOURCE" | awk '{ print $3 }'); do
    rm -f ./*.deb
    if foreign_apt apt-get amd64 "$1" -qq download "$KERNEL_SOURCE=$version" && mv "$KERNEL_SOURCE"_*.deb source.deb &&
      check_source source.deb; then
      return
    fi
  done
  return 1
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
  local directory=$1 build=$1/build file option tree make
  say "building $KERNEL_SOURCE for $ARCH, which takes minutes"
  mkdir "$build"
  file=$(source_file)
  if [ -n "$file" ]; then
    check_source "$file" || die "$file has none of the checksums recorded in the lane's file"
    cp "$file" "$build/source.deb"
  else
    log "source-$KERNEL_SOURCE" retry kernel_source "$build"
  fi
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
  log "build-$KERNEL_SOURCE-$ARCH" nice "${make[@]}" -j"$(nproc)" "$(kernel_target)"
  cp "$tree/$(kernel_image)" "$directory/linux"
  if [ "$(kernel_target)" = vmlinux ]; then "$(cross_prefix)strip" -s "$directory/linux"; fi
  "${make[@]}" -s kernelrelease | tail -1 >"$directory/version"
  cp "$tree/.config" "$directory/config"
  rm -rf "$build"
}

# kernel_modules NAME…: the files to load, dependencies first, for a kernel that has modules.
kernel_modules() {
  local directory module
  directory=$(kernel_dir)
  for module; do modprobe -d "$directory" -S "$(cat "$directory/version")" --show-depends "$module" || exit; done |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}
