// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import io.jvfio.linux.Errno;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The token of a physical function, which whoever opens one of its virtual functions must know.
 * Source: {@code drivers/vfio/pci/vfio_pci_core.c}, {@code vfio_pci_validate_vf_token}.
 */
final class VfToken {
  private @Nullable VfToken physical;
  private @Nullable UUID value;
  private int openVirtualFunctions;

  /** Its function is a virtual one of another's, which gets a token that nobody knows. */
  void belongTo(VfToken other) {
    physical = other;
    other.value = UUID.randomUUID();
  }

  /** Whether its function has virtual ones. */
  boolean exists() {
    return value != null;
  }

  void set(UUID value) {
    this.value = value;
  }

  /** Its function is opened. */
  void open() {
    if (physical != null) {
      physical.openVirtualFunctions++;
    }
  }

  /** Its function is closed. */
  void close() {
    if (physical != null) {
      physical.openVirtualFunctions--;
    }
  }

  /** What a token, or the lack of one, leads to; a physical function without users takes it. */
  int check(@Nullable UUID token) {
    if (physical != null) {
      return token != null && token.equals(physical.value) ? 0 : Errno.EACCES.result();
    }
    if (value == null) {
      return token == null ? 0 : Errno.EINVAL.result();
    }
    if (openVirtualFunctions > 0) {
      return value.equals(token) ? 0 : Errno.EACCES.result();
    }
    if (token != null) {
      value = token;
    }
    return 0;
  }
}
