// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.util.HashMap;
import java.util.Map;

/**
 * The parts of regions that are mapped, so that a new connection's files can take the place of the
 * old one's while registers stay where they are.
 */
final class RegionMappings {
  private final Kernel kernel;
  private final Map<Long, Mapping> byAddress = new HashMap<>();

  private record Mapping(long byteSize, int protection, int region, long offset) {}

  RegionMappings(Kernel kernel) {
    this.kernel = kernel;
  }

  /**
   * Maps a part of a region.
   *
   * @return the address, or a negated errno
   */
  synchronized long map(
      Description description, long byteSize, int protection, int region, long offset) {
    if (region >= description.regions().size() || description.regions().get(region).fd() < 0) {
      return Errno.ENODEV.result();
    }
    var from = description.regions().get(region);
    long address =
        kernel.mmap(byteSize, protection, Kernel.MAP_SHARED, from.fd(), from.fileOffset() + offset);
    if (address >= 0) {
      byAddress.put(address, new Mapping(byteSize, protection, region, offset));
    }
    return address;
  }

  /** Forgets a mapping that is about to go; nothing happens for other memory. */
  synchronized void forget(long address) {
    byAddress.remove(address);
  }

  /** Puts the files of another description of the same device in the place of the old. */
  synchronized void replace(Description description) throws LinkException {
    for (var entry : byAddress.entrySet()) {
      var mapping = entry.getValue();
      var from = description.regions().get(mapping.region);
      long result =
          kernel.remap(
              entry.getKey(),
              mapping.byteSize,
              mapping.protection,
              from.fd(),
              from.fileOffset() + mapping.offset);
      if (result < 0) {
        throw LinkException.unusable(
            "The file that the server gave for region %d cannot be mapped (%s)."
                .formatted(mapping.region, Errno.ofResult(result).symbol()));
      }
    }
  }
}
