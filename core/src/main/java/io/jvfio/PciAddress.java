// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import java.util.Comparator;
import java.util.regex.Pattern;

/**
 * The address of a PCI function on its host, written {@code 0000:01:00.0}.
 *
 * @param domain 0 to 0xffffffff as an unsigned number; more than 16 bits behind some virtual
 *     bridges
 * @param bus 0 to 255
 * @param device 0 to 31
 * @param function 0 to 7
 */
public record PciAddress(int domain, int bus, int device, int function)
    implements Comparable<PciAddress> {
  private static final Pattern FORM =
      Pattern.compile("(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\\.([0-7])");
  private static final Comparator<PciAddress> ORDER =
      Comparator.<PciAddress>comparingLong(address -> Integer.toUnsignedLong(address.domain))
          .thenComparingInt(PciAddress::bus)
          .thenComparingInt(PciAddress::device)
          .thenComparingInt(PciAddress::function);

  /** An address whose parts are in range. */
  public PciAddress {
    if (bus < 0 || bus > 255 || device < 0 || device > 31 || function < 0 || function > 7) {
      throw new IllegalArgumentException(
          "PCI address out of range: bus %d, device %d, function %d"
              .formatted(bus, device, function));
    }
  }

  /**
   * The address written as {@code text}; a missing domain is 0000.
   *
   * @throws IllegalArgumentException if it is no PCI address
   */
  public static PciAddress parse(String text) {
    var matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a PCI address such as 0000:01:00.0");
    }
    var domain = matcher.group(1);
    return new PciAddress(
        domain == null ? 0 : Integer.parseUnsignedInt(domain, 16),
        Integer.parseInt(matcher.group(2), 16),
        Integer.parseInt(matcher.group(3), 16),
        Integer.parseInt(matcher.group(4), 16));
  }

  /** Whether {@code text} is a PCI address. */
  static boolean isValid(String text) {
    return FORM.matcher(text).matches();
  }

  @Override
  public int compareTo(PciAddress other) {
    return ORDER.compare(this, other);
  }

  @Override
  public String toString() {
    return "%04x:%02x:%02x.%x".formatted(domain, bus, device, function);
  }
}
