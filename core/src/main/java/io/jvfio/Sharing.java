// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/** The ways in which several groups come to one DMA space. */
public enum Sharing {
  /** One container or IOAS where the kernel lets them share it, several where it does not. */
  WHERE_POSSIBLE,
  /** One container or IOAS, or none at all: memory is locked and mapped only once then. */
  REQUIRED
}
