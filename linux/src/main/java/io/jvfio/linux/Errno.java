// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A Linux error number. The numbers below are the same on every architecture that jvfio knows.
 *
 * @param number the positive error number
 * @param symbol its name, {@code "errno N"} where jvfio has none
 * @param text the C library's text for it
 */
public record Errno(int number, String symbol, String text) {
  /** The errors that have a name, by number; filled with the constants and not changed after. */
  private static final Map<Integer, Errno> KNOWN = new HashMap<>();

  /** Operation not permitted. */
  public static final Errno EPERM = known(1, "EPERM", "Operation not permitted");

  /** No such file or directory. */
  public static final Errno ENOENT = known(2, "ENOENT", "No such file or directory");

  /** No such process. */
  public static final Errno ESRCH = known(3, "ESRCH", "No such process");

  /** Interrupted system call. */
  public static final Errno EINTR = known(4, "EINTR", "Interrupted system call");

  /** Input/output error. */
  public static final Errno EIO = known(5, "EIO", "Input/output error");

  /** No such device or address. */
  public static final Errno ENXIO = known(6, "ENXIO", "No such device or address");

  /** Argument list too long. */
  public static final Errno E2BIG = known(7, "E2BIG", "Argument list too long");

  /** Bad file descriptor. */
  public static final Errno EBADF = known(9, "EBADF", "Bad file descriptor");

  /** Resource temporarily unavailable. */
  public static final Errno EAGAIN = known(11, "EAGAIN", "Resource temporarily unavailable");

  /** Cannot allocate memory. */
  public static final Errno ENOMEM = known(12, "ENOMEM", "Cannot allocate memory");

  /** Permission denied. */
  public static final Errno EACCES = known(13, "EACCES", "Permission denied");

  /** Bad address. */
  public static final Errno EFAULT = known(14, "EFAULT", "Bad address");

  /** Device or resource busy. */
  public static final Errno EBUSY = known(16, "EBUSY", "Device or resource busy");

  /** File exists. */
  public static final Errno EEXIST = known(17, "EEXIST", "File exists");

  /** No such device. */
  public static final Errno ENODEV = known(19, "ENODEV", "No such device");

  /** Not a directory. */
  public static final Errno ENOTDIR = known(20, "ENOTDIR", "Not a directory");

  /** Is a directory. */
  public static final Errno EISDIR = known(21, "EISDIR", "Is a directory");

  /** Invalid argument. */
  public static final Errno EINVAL = known(22, "EINVAL", "Invalid argument");

  /** Too many open files in system. */
  public static final Errno ENFILE = known(23, "ENFILE", "Too many open files in system");

  /** Too many open files. */
  public static final Errno EMFILE = known(24, "EMFILE", "Too many open files");

  /** Inappropriate ioctl for device: the kernel does not know the command here. */
  public static final Errno ENOTTY = known(25, "ENOTTY", "Inappropriate ioctl for device");

  /** File too large. */
  public static final Errno EFBIG = known(27, "EFBIG", "File too large");

  /** No space left on device. */
  public static final Errno ENOSPC = known(28, "ENOSPC", "No space left on device");

  /** Illegal seek. */
  public static final Errno ESPIPE = known(29, "ESPIPE", "Illegal seek");

  /** Read-only file system. */
  public static final Errno EROFS = known(30, "EROFS", "Read-only file system");

  /** Numerical result out of range. */
  public static final Errno ERANGE = known(34, "ERANGE", "Numerical result out of range");

  /** Function not implemented. */
  public static final Errno ENOSYS = known(38, "ENOSYS", "Function not implemented");

  /** Too many levels of symbolic links; of sets of descriptors, for epoll. */
  public static final Errno ELOOP = known(40, "ELOOP", "Too many levels of symbolic links");

  /** No message of desired type: for a stream of migration data, no more for now. */
  public static final Errno ENOMSG = known(42, "ENOMSG", "No message of desired type");

  /** Invalid request descriptor: for io_uring, completions were lost. */
  public static final Errno EBADR = known(53, "EBADR", "Invalid request descriptor");

  /** No data available: of a disk, a block that cannot be read. */
  public static final Errno ENODATA = known(61, "ENODATA", "No data available");

  /** Value too large for defined data type. */
  public static final Errno EOVERFLOW =
      known(75, "EOVERFLOW", "Value too large for defined data type");

  /** File descriptor in bad state. */
  public static final Errno EBADFD = known(77, "EBADFD", "File descriptor in bad state");

  /**
   * Invalid or incomplete multibyte or wide character: of a disk, protection data that are wrong.
   */
  public static final Errno EILSEQ =
      known(84, "EILSEQ", "Invalid or incomplete multibyte or wide character");

  /** Protocol error. */
  public static final Errno EPROTO = known(71, "EPROTO", "Protocol error");

  /** Socket operation on non-socket. */
  public static final Errno ENOTSOCK = known(88, "ENOTSOCK", "Socket operation on non-socket");

  /** Message too long. */
  public static final Errno EMSGSIZE = known(90, "EMSGSIZE", "Message too long");

  /** Operation not supported. */
  public static final Errno EOPNOTSUPP = known(95, "EOPNOTSUPP", "Operation not supported");

  /** Address already in use. */
  public static final Errno EADDRINUSE = known(98, "EADDRINUSE", "Address already in use");

  /** Software caused connection abort. */
  public static final Errno ECONNABORTED =
      known(103, "ECONNABORTED", "Software caused connection abort");

  /** Connection reset by peer. */
  public static final Errno ECONNRESET = known(104, "ECONNRESET", "Connection reset by peer");

  /** Transport endpoint is not connected. */
  public static final Errno ENOTCONN =
      known(107, "ENOTCONN", "Transport endpoint is not connected");

  /** Connection timed out. */
  public static final Errno ETIMEDOUT = known(110, "ETIMEDOUT", "Connection timed out");

  /** Connection refused. */
  public static final Errno ECONNREFUSED = known(111, "ECONNREFUSED", "Connection refused");

  /** Operation already in progress. */
  public static final Errno EALREADY = known(114, "EALREADY", "Operation already in progress");

  /** Remote I/O error: of a disk, a command that it failed. */
  public static final Errno EREMOTEIO = known(121, "EREMOTEIO", "Remote I/O error");

  /** Disk quota exceeded. */
  public static final Errno EDQUOT = known(122, "EDQUOT", "Disk quota exceeded");

  /** Operation canceled. */
  public static final Errno ECANCELED = known(125, "ECANCELED", "Operation canceled");

  /** Broken pipe. */
  public static final Errno EPIPE = known(32, "EPIPE", "Broken pipe");

  private static Errno known(int number, String symbol, String text) {
    var errno = new Errno(number, symbol, text);
    if (KNOWN.put(number, errno) != null) {
      throw new AssertionError("two names for errno " + number);
    }
    return errno;
  }

  /** The error with this positive number. */
  public static Errno of(int number) {
    var known = KNOWN.get(number);
    return known != null ? known : new Errno(number, "errno " + number, "Unknown error " + number);
  }

  /** The error of a name such as {@code "ENOMEM"}; empty where jvfio names none so. */
  public static Optional<Errno> ofSymbol(String symbol) {
    return KNOWN.values().stream().filter(errno -> errno.symbol.equals(symbol)).findFirst();
  }

  /** The error in a {@link Kernel} result below zero. */
  public static Errno ofResult(long result) {
    return of(Math.toIntExact(-result));
  }

  /** This error as a {@link Kernel} result: its number, negated. */
  public int result() {
    return -number;
  }

  @Override
  public String toString() {
    return symbol;
  }
}
