// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.Vfio;

/** The states of a device in a migration. Source: {@code enum vfio_device_mig_state}. */
public enum MigrationState {
  /** It has failed, and does nothing; only {@link VfioDevice#reset()} leaves it. */
  ERROR(Vfio.VFIO_DEVICE_STATE_ERROR),
  /** It does nothing: no DMA, no interrupt, no change. */
  STOP(Vfio.VFIO_DEVICE_STATE_STOP),
  /** It works. */
  RUNNING(Vfio.VFIO_DEVICE_STATE_RUNNING),
  /** It does nothing, and its data can be read. */
  STOP_COPY(Vfio.VFIO_DEVICE_STATE_STOP_COPY),
  /** It does nothing, and its data can be written; {@link #STOP} takes them. */
  RESUMING(Vfio.VFIO_DEVICE_STATE_RESUMING),
  /** It works, but begins no DMA to other devices; only where the driver can. */
  RUNNING_P2P(Vfio.VFIO_DEVICE_STATE_RUNNING_P2P),
  /** It works, and its data can be read; only where the driver can. */
  PRE_COPY(Vfio.VFIO_DEVICE_STATE_PRE_COPY),
  /** As {@link #PRE_COPY}, with no DMA to other devices. */
  PRE_COPY_P2P(Vfio.VFIO_DEVICE_STATE_PRE_COPY_P2P);

  private final int number;

  MigrationState(int number) {
    this.number = number;
  }

  int number() {
    return number;
  }

  /** Whether data can be read in it. */
  boolean saves() {
    return this == STOP_COPY || this == PRE_COPY || this == PRE_COPY_P2P;
  }
}
