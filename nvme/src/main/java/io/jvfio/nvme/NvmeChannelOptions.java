// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.nio.file.OpenOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;

/**
 * The options of a channel to a namespace.
 *
 * <p>Data goes through memory that the device reaches: {@code transfers} pieces of {@code
 * transferBytes} each, allocated when the channel is opened and freed when it is closed.
 *
 * @param openOptions of {@link StandardOpenOption} READ, WRITE, and DSYNC or SYNC, with which a
 *     write returns only when its data survives loss of power; without READ and WRITE the channel
 *     is opened for reading
 * @param transferBytes bytes of one piece: a multiple of 4096, 4096 to 16 MiB; a namespace with
 *     larger blocks has pieces of a block
 * @param transfers how many pieces, 1 to 256: as many transfers are under way at a time
 */
public record NvmeChannelOptions(Set<OpenOption> openOptions, int transferBytes, int transfers) {
  private static final int DEFAULT_TRANSFER_BYTES = 256 << 10;
  private static final int DEFAULT_TRANSFERS = 4;
  private static final int TRANSFER_UNIT = 4096;
  private static final int MAX_TRANSFER_BYTES = 16 << 20;
  private static final int MAX_TRANSFERS = 256;
  private static final Set<OpenOption> SUPPORTED =
      Set.of(
          StandardOpenOption.READ,
          StandardOpenOption.WRITE,
          StandardOpenOption.SYNC,
          StandardOpenOption.DSYNC);

  /**
   * Checks the options.
   *
   * @throws UnsupportedOperationException for an open option that a namespace cannot have
   * @throws IllegalArgumentException if a number is out of range
   */
  public NvmeChannelOptions {
    openOptions = Set.copyOf(openOptions);
    for (var option : openOptions) {
      if (!SUPPORTED.contains(option)) {
        throw new UnsupportedOperationException(
            "%s: a namespace is there before and after, and has a fixed size; it is opened with"
                    .formatted(option)
                + " READ, WRITE, SYNC and DSYNC only");
      }
    }
    if (transferBytes < TRANSFER_UNIT
        || transferBytes > MAX_TRANSFER_BYTES
        || transferBytes % TRANSFER_UNIT != 0) {
      throw new IllegalArgumentException(
          "transfers of %d bytes, not a multiple of %d up to %d"
              .formatted(transferBytes, TRANSFER_UNIT, MAX_TRANSFER_BYTES));
    }
    if (transfers < 1 || transfers > MAX_TRANSFERS) {
      throw new IllegalArgumentException(
          "%d transfers at a time, not 1 to %d".formatted(transfers, MAX_TRANSFERS));
    }
  }

  /** The options with four pieces of 256 KiB. */
  public static NvmeChannelOptions of(OpenOption... openOptions) {
    return new NvmeChannelOptions(Set.of(openOptions), DEFAULT_TRANSFER_BYTES, DEFAULT_TRANSFERS);
  }

  /** The same with pieces of another size. */
  public NvmeChannelOptions withTransferBytes(int bytes) {
    return new NvmeChannelOptions(openOptions, bytes, transfers);
  }

  /** The same with another number of pieces. */
  public NvmeChannelOptions withTransfers(int count) {
    return new NvmeChannelOptions(openOptions, transferBytes, count);
  }

  boolean isWritable() {
    return openOptions.contains(StandardOpenOption.WRITE);
  }

  boolean isReadable() {
    return openOptions.contains(StandardOpenOption.READ) || !isWritable();
  }

  /** Whether each write is followed by a flush. */
  boolean isSynchronous() {
    return openOptions.contains(StandardOpenOption.SYNC)
        || openOptions.contains(StandardOpenOption.DSYNC);
  }
}
