// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import java.io.IOException;
import java.io.Serial;

/**
 * I/O through one of the {@code java.nio} channels failed in the driver. The message is that of the
 * cause, which says more: an {@link NvmeStatusException} where the controller completed a command
 * with an error, a {@link io.jvfio.VfioException} where it failed as a whole, an {@link
 * NvmeClosedException} where it or its device is closed.
 */
public final class NvmeIoException extends IOException {
  @Serial private static final long serialVersionUID = 1;

  NvmeIoException(RuntimeException cause) {
    super(cause.getMessage(), cause);
  }
}
