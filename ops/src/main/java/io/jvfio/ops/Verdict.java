// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops;

/** The verdict of a check. */
public enum Verdict {
  /** Nothing stands in the way. */
  PASS,
  /** It works, and will surprise somebody. */
  WARN,
  /** It keeps devices from being used. */
  FAIL,
  /** The host does not tell: a file is not there, or may not be read. */
  UNKNOWN
}
