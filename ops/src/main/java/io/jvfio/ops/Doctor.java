// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops;

import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.VfioHost;
import io.jvfio.ops.check.Checks;
import io.jvfio.ops.check.Examination;
import java.util.Collection;
import java.util.List;
import java.util.OptionalLong;

/**
 * Examines a host: says what keeps devices from being used, why that matters, and what mends it.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="doctor"}
 *
 * <p>It reads files of sysfs and procfs, and opens {@code /dev/vfio/vfio} and {@code /dev/iommu}
 * for a moment where their modules are loaded. Groups and devices are not opened and no IOMMU type
 * is set, so nothing changes on the host and nobody who uses a device is disturbed. What a host
 * does not tell is {@link Verdict#UNKNOWN}, and never a {@link Verdict#FAIL}.
 *
 * <p>Immutable; each {@code with} method returns a changed copy. Safe for use by several threads.
 */
public final class Doctor {
  private final VfioHost host;
  private final OptionalLong memory;
  private final List<PciAddress> devices;

  private Doctor(VfioHost host, OptionalLong memory, List<PciAddress> devices) {
    this.host = host;
    this.memory = memory;
    this.devices = devices;
  }

  /** A doctor for {@code host}. */
  public static Doctor of(VfioHost host) {
    return new Doctor(host, OptionalLong.empty(), List.of());
  }

  /**
   * Has limits judged by the memory that is to be mapped for devices.
   *
   * @param byteSize how much, in bytes, more than zero
   */
  public Doctor withMemory(long byteSize) {
    if (byteSize <= 0) {
      throw new IllegalArgumentException("memory of " + byteSize + " bytes");
    }
    return new Doctor(host, OptionalLong.of(byteSize), devices);
  }

  /**
   * Has some devices examined, with their groups, and no others. That of the machine which concerns
   * all devices is examined as well.
   *
   * @param devices the devices; none for all that a VFIO driver has
   */
  public Doctor withDevices(Collection<PciAddress> devices) {
    return new Doctor(host, memory, devices.stream().distinct().toList());
  }

  /**
   * Examines the host as it is now.
   *
   * @throws VfioException if there is no such device, or sysfs cannot be read
   */
  public Diagnosis examine() {
    var asked = devices.stream().map(host::device).toList();
    var examination = new Examination(host, memory, asked);
    Checks.run(examination);
    return new Diagnosis(host.name(), examination.findings());
  }

  @Override
  public String toString() {
    return "doctor of " + host.name();
  }
}
