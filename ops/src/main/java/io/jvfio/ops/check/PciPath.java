// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.PciAddress;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The PCI devices that a path of sysfs leads through: bridges first, then the device that the rest
 * of the path is of. Source: {@code Documentation/filesystems/sysfs.rst}.
 */
public final class PciPath {
  private static final Pattern ADDRESS =
      Pattern.compile("[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]");

  private PciPath() {}

  /** The addresses in the target of a link, from the top; none where it cannot be read. */
  public static List<PciAddress> behind(Kernel kernel, String link) {
    try {
      return of(kernel.readLink(link));
    } catch (ErrnoException e) {
      return List.of();
    }
  }

  private static List<PciAddress> of(String path) {
    return Pattern.compile("/")
        .splitAsStream(path)
        .filter(part -> ADDRESS.matcher(part).matches())
        .map(PciAddress::parse)
        .toList();
  }
}
