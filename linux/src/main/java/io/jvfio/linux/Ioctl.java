// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

/**
 * An ioctl command without data direction or size, {@code _IO(type, number)}, as all of VFIO's and
 * iommufd's are.
 *
 * <p>Two names can share a number: what a number means depends on the kind of file and, on a
 * container, on its IOMMU type.
 *
 * @param name the kernel's name of the command
 * @param type the type byte
 * @param number the command number, 0 to 255
 */
public record Ioctl(String name, int type, int number) {

  /** The request number on {@code architecture}, as passed to {@code ioctl(2)}. */
  public long requestNumber(Architecture architecture) {
    return architecture.requestNumber(type, number);
  }

  @Override
  public String toString() {
    return name;
  }
}
