// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.Vfio;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/**
 * The IOMMU interfaces that Linux offers to user space, and what stands for one behind a vfio-user
 * socket. Source: {@code include/uapi/linux/vfio.h}, {@code include/uapi/linux/iommufd.h}.
 */
public enum IommuType {
  /** iommufd: an address space of its own, outside of any container. */
  IOMMUFD("iommufd"),
  /** Type1, version 2: an unmap never removes more than was asked for. */
  TYPE1V2("type1v2", Vfio.VFIO_TYPE1v2_IOMMU),
  /** Type1. */
  TYPE1("type1", Vfio.VFIO_TYPE1_IOMMU),
  /** Type1 in which the guest has page tables of its own; kernels advertise it and refuse it. */
  TYPE1_NESTING("type1-nesting", Vfio.VFIO_TYPE1_NESTING_IOMMU),
  /** sPAPR TCE, version 2: memory is registered in advance, windows come and go. */
  SPAPR_TCE_V2("spapr-tce-v2", Vfio.VFIO_SPAPR_TCE_v2_IOMMU),
  /** sPAPR TCE, version 1: one window, charged whole. */
  SPAPR_TCE("spapr-tce", Vfio.VFIO_SPAPR_TCE_IOMMU),
  /** No IOMMU: the device reaches all memory, by physical address. */
  NOIOMMU("noiommu", Vfio.VFIO_NOIOMMU_IOMMU),
  /**
   * No IOMMU of the machine's: the device is a program, which is told over a vfio-user socket what
   * it may reach. No group has this type, so no policy takes it.
   */
  VFIO_USER("vfio-user");

  private final String id;
  private final OptionalInt extension;

  IommuType(String id) {
    this.id = id;
    this.extension = OptionalInt.empty();
  }

  IommuType(String id, int extension) {
    this.id = id;
    this.extension = OptionalInt.of(extension);
  }

  /** The name in text, JSON and on the command line. */
  public String id() {
    return id;
  }

  /**
   * The argument of CHECK_EXTENSION and SET_IOMMU; empty for {@link #IOMMUFD} and {@link
   * #VFIO_USER}, which have no container.
   */
  public OptionalInt extension() {
    return extension;
  }

  /**
   * The type with this name.
   *
   * @throws IllegalArgumentException if there is none; the message lists all names
   */
  public static IommuType of(String id) {
    return Arrays.stream(values())
        .filter(type -> type.id.equals(id))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "unknown IOMMU type '%s'; there are %s"
                        .formatted(
                            id,
                            Arrays.stream(values())
                                .map(IommuType::id)
                                .collect(Collectors.joining(", ")))));
  }

  @Override
  public String toString() {
    return id;
  }
}
