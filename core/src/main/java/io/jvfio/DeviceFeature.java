// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.Vfio;

/** A feature that a device, its driver and the kernel may have. Source: {@code linux/vfio.h}. */
public enum DeviceFeature {
  /** A token that users of the virtual functions must know. */
  VF_TOKEN(Vfio.VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, Vfio.VFIO_DEVICE_FEATURE_SET),
  /** Migration, version 2: what the driver can do. */
  MIGRATION(Vfio.VFIO_DEVICE_FEATURE_MIGRATION, Vfio.VFIO_DEVICE_FEATURE_GET),
  /** The state of migration. */
  MIGRATION_STATE(Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, Vfio.VFIO_DEVICE_FEATURE_SET),
  /** How many bytes a migration has to copy. */
  MIGRATION_DATA_SIZE(Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, Vfio.VFIO_DEVICE_FEATURE_GET),
  /** Low power until it is ended. */
  LOW_POWER_ENTRY(Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, Vfio.VFIO_DEVICE_FEATURE_SET),
  /** Low power until something wakes the device, which is told. */
  LOW_POWER_ENTRY_WITH_WAKEUP(
      Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, Vfio.VFIO_DEVICE_FEATURE_SET),
  /** The end of low power. */
  LOW_POWER_EXIT(Vfio.VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, Vfio.VFIO_DEVICE_FEATURE_SET),
  /** The start of a log of the device's writes. */
  DMA_LOGGING_START(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START, Vfio.VFIO_DEVICE_FEATURE_SET),
  /** The end of such a log. */
  DMA_LOGGING_STOP(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, Vfio.VFIO_DEVICE_FEATURE_SET),
  /** What is in such a log. */
  DMA_LOGGING_REPORT(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, Vfio.VFIO_DEVICE_FEATURE_GET),
  /** Parts of a region as a dma-buf. */
  DMA_BUF(Vfio.VFIO_DEVICE_FEATURE_DMA_BUF, Vfio.VFIO_DEVICE_FEATURE_GET);

  private final int index;
  private final int operation;

  DeviceFeature(int index, int operation) {
    this.index = index;
    this.operation = operation;
  }

  /** The flags that ask whether it is there. */
  int probe() {
    return index | operation | Vfio.VFIO_DEVICE_FEATURE_PROBE;
  }

  /** The flags that do what it is for. */
  int use() {
    return index | operation;
  }

  /** Its number. */
  int index() {
    return index;
  }
}
