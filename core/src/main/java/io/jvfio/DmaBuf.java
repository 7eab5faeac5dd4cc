// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.OpenFile;

/**
 * Device memory as a dma-buf, for other drivers of this machine. Closing it closes our descriptor;
 * whoever has imported it keeps it.
 */
public final class DmaBuf implements AutoCloseable {
  private final OpenFile file;

  DmaBuf(OpenFile file) {
    this.file = file;
  }

  /**
   * The descriptor, for calls of other drivers; it stays ours.
   *
   * @throws IllegalStateException if closed
   */
  public int descriptor() {
    return file.fd();
  }

  /** Closes the descriptor. Idempotent. */
  @Override
  public void close() {
    file.close();
  }

  @Override
  public String toString() {
    return file.name();
  }
}
