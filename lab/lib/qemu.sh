# QEMU 11.1: newer than the machine's, so it lives in a Debian 13 of its own and is started by chroot.

QEMU_PACKAGES="qemu-system-ppc qemu-system-x86 qemu-user"

# qemu_root: the directory to chroot to.
qemu_root() { echo "$CACHE/qemu-$(key "$QEMU_PACKAGES" "$(declare -f build_qemu_root)")"; }

prepare_qemu() {
  host_packages debootstrap
  cached "$(qemu_root)" build_qemu_root
}

build_qemu_root() {
  local root=$1 site
  say "making the QEMU chroot"
  site=$(mirror trixie)
  log debootstrap retry bootstrap "$root" "$site"
  echo "deb $site trixie-backports main" >"$root/etc/apt/sources.list.d/backports.list"
  # The machine may reach its mirror through a proxy, or tolerate a stale one.
  apt-config dump | grep -E '^Acquire::(.*Proxy|Check-|.*::Ca|.*Verify)' >"$root/etc/apt/apt.conf.d/90machine" || true
  log qemu retry install_qemu "$root"
  mkdir "$root/lab" # whatever QEMU shall see is put here
  chroot "$root" qemu-system-ppc64 --version | head -1 >&2
}

bootstrap() {
  # debootstrap knows proxies from the environment only.
  local root=$1 proxy
  proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
  if [ -n "$proxy" ]; then export http_proxy=$proxy; fi
  rm -rf --one-file-system "$root"
  debootstrap --variant=minbase trixie "$root" "$2"
}

install_qemu() {
  # shellcheck disable=SC2086 # a list of words
  chroot "$1" apt-get -q update &&
    chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -t trixie-backports install $QEMU_PACKAGES &&
    chroot "$1" apt-get clean
}
