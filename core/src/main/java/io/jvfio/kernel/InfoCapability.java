// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import io.jvfio.linux.uapi.VfioInfoCapHeader;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * One entry of the capability chain behind an info struct. Source: {@code struct
 * vfio_info_cap_header}.
 *
 * @param id which capability, by the kind of info struct
 * @param version its version
 * @param content the entry from its header to the end of the info block: entries do not tell their
 *     length
 */
public record InfoCapability(int id, int version, MemorySegment content) {

  /**
   * The content, if it has at least {@code byteSize} bytes.
   *
   * @throws MalformedInfoException if it has less
   */
  public MemorySegment require(long byteSize) throws MalformedInfoException {
    if (content.byteSize() < byteSize) {
      throw new MalformedInfoException(
          "a capability of %d bytes where %d are needed".formatted(content.byteSize(), byteSize));
    }
    return content;
  }

  /**
   * The entries of the chain that starts at {@code first}, an offset from the start of {@code
   * info}; 0 for none.
   *
   * @throws MalformedInfoException if the chain leaves the block, is misaligned, or does not go
   *     forward
   */
  public static List<InfoCapability> chain(MemorySegment info, int first)
      throws MalformedInfoException {
    var chain = new ArrayList<InfoCapability>();
    long previous = 0;
    long offset = Integer.toUnsignedLong(first);
    while (offset != 0) {
      if (offset <= previous
          || offset % 8 != 0
          || offset > info.byteSize() - VfioInfoCapHeader.BYTES) {
        throw new MalformedInfoException(
            "a capability chain that goes from offset %d to %d of %d bytes"
                .formatted(previous, offset, info.byteSize()));
      }
      var content = info.asSlice(offset);
      chain.add(
          new InfoCapability(
              Short.toUnsignedInt(VfioInfoCapHeader.ID.get(content)),
              Short.toUnsignedInt(VfioInfoCapHeader.VERSION.get(content)),
              content));
      previous = offset;
      offset = Integer.toUnsignedLong(VfioInfoCapHeader.NEXT.get(content));
    }
    return chain;
  }
}
