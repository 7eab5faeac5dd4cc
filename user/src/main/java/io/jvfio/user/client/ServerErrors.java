package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.spi.Meaning;
import java.util.Map;

/** What the errors of a server mean, as far as anybody but the server can know. */
final class ServerErrors {
  private static final String LOOK = "Look into the server's log.";

  private static final Map<Errno, Meaning> KNOWN =
      Map.of(
          Errno.EINVAL,
          new Meaning("The server takes no such request, or not now.", LOOK),
          Errno.EOPNOTSUPP,
          new Meaning("The server, or its device, cannot do it.", ""),
          Errno.ENOTTY,
          new Meaning("A vfio-user server has no such thing.", ""),
          Errno.EEXIST,
          new Meaning("The server has something there already.", LOOK),
          Errno.EIO,
          new Meaning("The device has failed.", "Reset it. " + LOOK),
          Errno.EBUSY,
          new Meaning("The device is busy with something else.", "Try again."),
          Errno.ENOMEM,
          new Meaning("The server has no memory for it.", LOOK),
          Errno.EMFILE,
          new Meaning("The server has too many open files.", "Raise its 'ulimit -n'."),
          Errno.ENOSPC,
          new Meaning("The server has no room for it.", LOOK));

  private ServerErrors() {}

  static Meaning meaning(Errno errno, boolean reconnects) {
    if (reconnects && (errno.equals(Errno.ECONNRESET) || errno.equals(Errno.ETIMEDOUT))) {
      return new Meaning(
          "The connection was lost while this was under way: it is not known whether it was done. The device has been"
              + " reset since.",
          "Begin anew with the device; the next call works if the server is back.");
    }
    return KNOWN.getOrDefault(errno, new Meaning("The server refused with this error.", LOOK));
  }
}
