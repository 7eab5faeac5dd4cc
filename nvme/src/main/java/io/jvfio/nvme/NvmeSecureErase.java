package io.jvfio.nvme;

/**
 * What formatting does to the data that was there. Source: NVM Express Base Specification, "Format
 * NVM command", Secure Erase Settings.
 */
// The order is that of the values on the wire.
public enum NvmeSecureErase {
  /** Nothing: it may be readable by other means. */
  NONE,
  /** All of it is erased; what reads return then is not known. */
  USER_DATA,
  /** The key that it was encrypted with is deleted. */
  CRYPTOGRAPHIC
}
