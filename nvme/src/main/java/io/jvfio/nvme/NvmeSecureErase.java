// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/**
 * The ways in which formatting erases the data that was there. Source: NVM Express Base
 * Specification, "Format NVM command", Secure Erase Settings.
 */
public enum NvmeSecureErase {
  /** Nothing: it may be readable by other means. */
  NONE(0),
  /** All of it is erased; what reads return then is not known. */
  USER_DATA(1),
  /** The key that it was encrypted with is deleted. */
  CRYPTOGRAPHIC(2);

  private final int code;

  NvmeSecureErase(int code) {
    this.code = code;
  }

  /** Its number on the wire. */
  int code() {
    return code;
  }
}
