// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/** The accesses to mapped memory that a device is allowed. */
public enum DmaAccess {
  /** The device may read. */
  READ(true, false),
  /** The device may write. Many IOMMUs cannot forbid reading then. */
  WRITE(false, true),
  /** The device may read and write. */
  READ_WRITE(true, true);

  private final boolean readable;
  private final boolean writable;

  DmaAccess(boolean readable, boolean writable) {
    this.readable = readable;
    this.writable = writable;
  }

  /** Whether the device may read. */
  public boolean isReadable() {
    return readable;
  }

  /** Whether the device may write. */
  public boolean isWritable() {
    return writable;
  }
}
