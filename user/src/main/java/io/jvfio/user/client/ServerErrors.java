// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.spi.Explanation;
import java.util.Map;

/** What the errors of a server mean, as far as anybody but the server can know. */
final class ServerErrors {
  private static final String LOOK = "Look into the server's log.";

  private static final Map<Errno, Explanation> KNOWN =
      Map.of(
          Errno.EINVAL,
          new Explanation("The server takes no such request, or not now.", LOOK),
          Errno.EOPNOTSUPP,
          new Explanation("The server, or its device, cannot do it.", ""),
          Errno.ENOTTY,
          new Explanation("A vfio-user server has no such thing.", ""),
          Errno.EEXIST,
          new Explanation("The server has something there already.", LOOK),
          Errno.EIO,
          new Explanation("The device has failed.", "Reset it. " + LOOK),
          Errno.EBUSY,
          new Explanation("The device is busy with something else.", "Try again."),
          Errno.ENOMEM,
          new Explanation("The server has no memory for it.", LOOK),
          Errno.EMFILE,
          new Explanation(
              "The server, or this process, has too many open files.", "Raise 'ulimit -n'."),
          Errno.ENOSPC,
          new Explanation("The server has no room for it.", LOOK));

  private ServerErrors() {}

  static Explanation meaning(Errno errno, boolean reconnects) {
    if (reconnects && (errno.equals(Errno.ECONNRESET) || errno.equals(Errno.ETIMEDOUT))) {
      return new Explanation(
          "The connection was lost while this was under way: it is not known whether it was done. The device has been"
              + " reset since.",
          "Begin anew with the device; the next call works if the server is back.");
    }
    return KNOWN.getOrDefault(errno, new Explanation("The server refused with this error.", LOOK));
  }
}
