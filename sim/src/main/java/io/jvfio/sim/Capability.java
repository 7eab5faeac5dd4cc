package io.jvfio.sim;

/** The process capabilities that VFIO asks for. Source: {@code include/uapi/linux/capability.h}. */
public enum Capability {
  /** {@code CAP_IPC_LOCK}: locked memory is counted, but not limited. */
  IPC_LOCK(14),
  /** {@code CAP_SYS_RAWIO}: may open devices that no IOMMU protects the host from. */
  SYS_RAWIO(17),
  /** {@code CAP_SYS_ADMIN}: sees physical addresses, and all of a device's configuration space. */
  SYS_ADMIN(21),
  /** {@code CAP_SYS_RESOURCE}: chooses where iommufd counts locked memory. */
  SYS_RESOURCE(24);

  private final int number;

  Capability(int number) {
    this.number = number;
  }

  long bit() {
    return 1L << number;
  }
}
