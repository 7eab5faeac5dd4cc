// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.setup;

import io.jvfio.IommuType;
import io.jvfio.linux.Errno;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The facts that were seen of a real host, beyond those that every simulated host is made of.
 *
 * @param machine what firmware calls the machine
 * @param iommus the names in {@code /sys/class/iommu}
 * @param noIommuMode the parameter {@code enable_unsafe_noiommu_mode} of vfio, Y or N; null where
 *     there is none
 * @param devices by address
 * @param answers what the kernel answered when groups were negotiated
 */
public record RecordedFacts(
    Machine machine,
    List<String> iommus,
    @Nullable String noIommuMode,
    Map<String, Device> devices,
    List<Answer> answers) {

  /**
   * What tells a real machine from a virtual one.
   *
   * @param vendor {@code sys_vendor} of DMI, or null
   * @param product {@code product_name} of DMI, or null
   * @param hypervisorFlag whether the processor has the flag that hypervisors set
   * @param compatible {@code compatible} at the root of the device tree; empty where there is none
   */
  public record Machine(
      @Nullable String vendor,
      @Nullable String product,
      boolean hypervisorFlag,
      List<String> compatible) {}

  /**
   * A PCI function.
   *
   * @param config its configuration space in hexadecimal digits: 64, 256 or 4096 bytes
   * @param canReset whether the kernel has a way to reset it alone
   * @param numaNode its NUMA node, or -1
   * @param iommu the name of the IOMMU that it is behind, or null
   */
  public record Device(String config, boolean canReset, int numaNode, @Nullable String iommu) {}

  /**
   * The answer to an attempt to use a type with a group.
   *
   * @param advertised whether CHECK_EXTENSION knew the type
   * @param reached the step at which the attempt ended, as {@code probe} names it
   * @param outcome how it ended, as {@code probe} names it
   * @param call the ioctl that ended it, or null
   * @param errno its error, or null
   */
  public record Answer(
      int group,
      IommuType type,
      boolean advertised,
      String reached,
      String outcome,
      @Nullable String call,
      @Nullable Errno errno) {}
}
