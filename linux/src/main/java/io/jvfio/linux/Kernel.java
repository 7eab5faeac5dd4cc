// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The system calls that VFIO, a storage server and its sockets need, and the files that describe
 * the machine. {@link LinuxKernel} makes them; a simulated host answers them; a {@link
 * ForwardingKernel} can make any single one of them fail.
 *
 * <p>A call answers as the kernel does: a result of zero or more, or a negated {@link Errno}
 * number. Nothing is thrown for a failed call except by the methods that return objects ({@link
 * #readText}, {@link #list}, {@link #readLink}, {@link #status}). Interpretation is the caller's:
 * for some ioctls a positive result is a failure.
 *
 * <p>The calls that only storage and sockets need answer ENOSYS unless an implementation has them:
 * a simulated host has devices, and neither disks nor peers.
 *
 * <p>All methods may be called from any thread.
 */
public interface Kernel {
  /** {@code O_RDONLY}. */
  int O_RDONLY = 0;

  /** {@code O_WRONLY}. */
  int O_WRONLY = 1;

  /** {@code O_RDWR}. */
  int O_RDWR = 2;

  /** {@code R_OK} of {@link #access}: for reading. */
  int R_OK = 4;

  /** {@code W_OK} of {@link #access}: for writing. */
  int W_OK = 2;

  /** {@code O_CREAT}: a file that is not there is made. */
  int O_CREAT = 0x40;

  /** {@code O_EXCL}: with {@link #O_CREAT}, a file that is there already is EEXIST. */
  int O_EXCL = 0x80;

  /** {@code O_TRUNC}: a file that is there loses its content. */
  int O_TRUNC = 0x200;

  /**
   * {@code O_DIRECT}, as x86 has it: transfers pass by the page cache, and must be aligned as
   * {@link FileStatus} tells. {@link LinuxKernel} translates it where it is another bit.
   */
  int O_DIRECT = 0x4000;

  /** {@code O_DIRECTORY}, as x86 has it: anything else is ENOTDIR. */
  int O_DIRECTORY = 0x10000;

  /** {@code O_NOFOLLOW}, as x86 has it: a symbolic link at the end of the path is ELOOP. */
  int O_NOFOLLOW = 0x20000;

  /**
   * {@code O_PATH}: the descriptor stands for the place in the file system, and nothing is opened.
   */
  int O_PATH = 0x200000;

  /** {@code FALLOC_FL_KEEP_SIZE}: the file does not grow. */
  int FALLOC_FL_KEEP_SIZE = 1;

  /** {@code FALLOC_FL_PUNCH_HOLE}, with {@link #FALLOC_FL_KEEP_SIZE}: space is given back. */
  int FALLOC_FL_PUNCH_HOLE = 2;

  /** {@code FALLOC_FL_ZERO_RANGE}: the range reads as zeroes, and its space stays taken. */
  int FALLOC_FL_ZERO_RANGE = 0x10;

  /** {@code PROT_READ}. */
  int PROT_READ = 1;

  /** {@code PROT_WRITE}. */
  int PROT_WRITE = 2;

  /** {@code MAP_SHARED}. */
  int MAP_SHARED = 1;

  /** {@code MAP_PRIVATE}. */
  int MAP_PRIVATE = 2;

  /** {@code MAP_ANONYMOUS}. */
  int MAP_ANONYMOUS = 0x20;

  /** {@code MAP_HUGETLB}; the page size is its logarithm above {@link #MAP_HUGE_SHIFT}. */
  int MAP_HUGETLB = 0x40000;

  /** {@code MAP_HUGE_SHIFT}. */
  int MAP_HUGE_SHIFT = 26;

  /** {@code MFD_HUGETLB}; the page size as with {@link #MAP_HUGETLB}. */
  int MFD_HUGETLB = 4;

  /**
   * {@code MFD_ALLOW_SEALING}: here, that nobody can change the size of the file any more, whoever
   * is given it. A process that has mapped a file which another one cuts short is killed by its
   * next access.
   */
  int MFD_ALLOW_SEALING = 2;

  /** {@code EFD_NONBLOCK}: a read of an eventfd that was not signalled answers EAGAIN. */
  int EFD_NONBLOCK = 0x800;

  /** {@code SO_TYPE}: the kind of a socket, such as {@link #SOCK_STREAM}. */
  int SO_TYPE = 3;

  /** {@code SO_RCVTIMEO}, as x86 has it: how long a receive waits, as a {@code struct timeval}. */
  int SO_RCVTIMEO = 20;

  /** {@code SO_SNDTIMEO}, as x86 has it: how long a send and a connect wait. */
  int SO_SNDTIMEO = 21;

  /** {@code SO_ACCEPTCONN}: 1 for a socket that listens. */
  int SO_ACCEPTCONN = 30;

  /** {@code SO_DOMAIN}: the address family, such as {@link #AF_UNIX}. */
  int SO_DOMAIN = 39;

  /** {@code AF_UNIX}. */
  int AF_UNIX = 1;

  /** {@code SOCK_STREAM}. */
  int SOCK_STREAM = 1;

  /** {@code EPOLL_CTL_ADD}. */
  int EPOLL_CTL_ADD = 1;

  /** {@code EPOLL_CTL_DEL}. */
  int EPOLL_CTL_DEL = 2;

  /** {@code EPOLLIN}. */
  int EPOLLIN = 1;

  /** {@code EPOLLET}: each signal is told of once, and need not be read to be told of the next. */
  int EPOLLET = 1 << 31;

  /** The value of {@link #lockedMemoryLimit()} that means "no limit". */
  long NO_LIMIT = Long.MAX_VALUE;

  /** The architecture whose user API encoding this kernel has. */
  Architecture architecture();

  /** The page size in bytes. */
  int pageSize();

  /** {@link #open(String, int, int)} of a file that is there. */
  default int open(String path, int flags) {
    return open(path, flags, 0);
  }

  /**
   * Opens a file; the descriptor is always closed on exec.
   *
   * @param flags {@link #O_RDONLY}, {@link #O_WRONLY} or {@link #O_RDWR}, with other flags of
   *     {@code open(2)} in x86's encoding
   * @param mode the permissions of a file that is made, before the umask; 0 if none is
   * @return the file descriptor, or a negated errno
   */
  int open(String path, int flags, int mode);

  /** Closes {@code fd}. */
  int close(int fd);

  /**
   * An ioctl whose argument is a number, or that has none.
   *
   * @return the kernel's result, or a negated errno; not retried when interrupted, since sPAPR uses
   *     EINTR's number for something else
   */
  int ioctl(int fd, Ioctl command, long argument);

  /**
   * An ioctl whose argument points to a struct or a C string.
   *
   * @return the kernel's result, or a negated errno; not retried when interrupted
   */
  int ioctl(int fd, Ioctl command, MemorySegment argument);

  /**
   * Reads up to {@code target.byteSize()} bytes at {@code offset}. Returns the number read, or a
   * negated errno.
   */
  long pread(int fd, MemorySegment target, long offset);

  /**
   * Writes up to {@code source.byteSize()} bytes at {@code offset}. Returns the number written, or
   * a negated errno.
   */
  long pwrite(int fd, MemorySegment source, long offset);

  /**
   * Reads up to {@code target.byteSize()} bytes from where the file is. Waits where the file does.
   * Returns the number read, or a negated errno.
   */
  long read(int fd, MemorySegment target);

  /**
   * Writes up to {@code source.byteSize()} bytes to where the file is. Returns the number written,
   * or a negated errno.
   */
  long write(int fd, MemorySegment source);

  /**
   * Reads what is there without waiting, whether the descriptor waits or not. Source: {@code
   * preadv2(2)}, {@code RWF_NOWAIT}.
   *
   * @return how many bytes came, or a negated errno: EAGAIN if there was nothing, EOPNOTSUPP if the
   *     file cannot be read so
   */
  default long readNow(int fd, MemorySegment target) {
    return Errno.ENOSYS.result();
  }

  /**
   * Reads at {@code offset} into several pieces of memory, one after the other. Source: {@code
   * preadv(2)}.
   *
   * @param vectors an array of {@code struct iovec}, each the address and the length of a piece, 8
   *     bytes each
   * @param count how many pieces, at most 1024
   * @return the number of bytes read, or a negated errno
   */
  default long preadv(int fd, MemorySegment vectors, int count, long offset) {
    return Errno.ENOSYS.result();
  }

  /**
   * Writes several pieces of memory, one after the other, at {@code offset}. Source: {@code
   * pwritev(2)}.
   *
   * @param vectors as of {@link #preadv}
   * @param count how many pieces, at most 1024
   * @return the number of bytes written, or a negated errno
   */
  default long pwritev(int fd, MemorySegment vectors, int count, long offset) {
    return Errno.ENOSYS.result();
  }

  /**
   * Tells how many bytes a regular file or a block device has; the position of {@code fd}, which
   * {@link #read} and {@link #write} go by, is behind the last one then. Source: {@code lseek(2)}.
   */
  default long fileSize(int fd) {
    return Errno.ENOSYS.result();
  }

  /** Cuts a file, or lets it grow by a hole. Source: {@code ftruncate(2)}. */
  default int truncate(int fd, long byteSize) {
    return Errno.ENOSYS.result();
  }

  /**
   * Takes space for a part of a file, gives it back, or zeroes it. Source: {@code fallocate(2)}.
   *
   * @param mode 0, or {@link #FALLOC_FL_KEEP_SIZE}, {@link #FALLOC_FL_PUNCH_HOLE} and {@link
   *     #FALLOC_FL_ZERO_RANGE}
   */
  default int allocate(int fd, int mode, long offset, long byteSize) {
    return Errno.ENOSYS.result();
  }

  /**
   * Waits until what was written is on the medium. An error is told once for each time that the
   * file was opened: the next call may answer 0 although the data are lost. Source: {@code
   * fdatasync(2)}.
   */
  default int synchronizeData(int fd) {
    return Errno.ENOSYS.result();
  }

  /**
   * Locks the whole of a file, without waiting, against everybody else who asks for a lock. The
   * lock belongs to what {@link #open} made and ends with its last user, which may be an operation
   * of {@code io_uring} that the kernel has not quite done with. Source: {@code F_OFD_SETLK} in
   * {@code fcntl_locking(2)}.
   *
   * @param isExclusive whether nobody else may have any lock, which needs a descriptor that can
   *     write; or others may have the same kind, which needs one that can read
   * @return 0, or a negated errno: EAGAIN if somebody else has it
   */
  default int lockFile(int fd, boolean isExclusive) {
    return Errno.ENOSYS.result();
  }

  /** Ends a lock at once, whoever uses the file still; without one nothing happens. */
  default int unlockFile(int fd) {
    return Errno.ENOSYS.result();
  }

  /**
   * Tells what is behind a descriptor. Source: {@code statx(2)}.
   *
   * @throws ErrnoException EBADF if nothing is, or why the kernel cannot tell
   */
  default FileStatus status(int fd) throws ErrnoException {
    throw new ErrnoException("statx(fd " + fd + ")", Errno.ENOSYS);
  }

  /**
   * Makes the rings of {@code io_uring}, which are mapped from the descriptor; it is always closed
   * on exec. Source: {@code io_uring_setup(2)}.
   *
   * @param params {@code struct io_uring_params}, which the kernel fills
   * @return the file descriptor, or a negated errno
   */
  default int ioUringSetup(int entries, MemorySegment params) {
    return Errno.ENOSYS.result();
  }

  /**
   * Hands over what stands in the submission ring, waits for completions, or both. Source: {@code
   * io_uring_enter(2)}.
   *
   * @return how many submissions were taken, or a negated errno if none was
   */
  default int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
    return Errno.ENOSYS.result();
  }

  /**
   * Registers files, buffers or an eventfd with a ring, or asks what it can do. Source: {@code
   * io_uring_register(2)}.
   *
   * @param argument what {@code operation} needs, or {@link MemorySegment#NULL}
   */
  default int ioUringRegister(int fd, int operation, MemorySegment argument, int count) {
    return Errno.ENOSYS.result();
  }

  /**
   * Makes a UNIX stream socket; it is always closed on exec. Source: {@code socket(2)}, {@code
   * unix(7)}.
   *
   * @return the file descriptor, or a negated errno
   */
  default int socket() {
    return Errno.ENOSYS.result();
  }

  /**
   * Makes two UNIX stream sockets that are connected to each other. Source: {@code socketpair(2)}.
   *
   * @param both where to put the two descriptors
   * @return 0, or a negated errno
   */
  default int socketPair(int[] both) {
    return Errno.ENOSYS.result();
  }

  /**
   * Makes a file for a UNIX socket, which gets the socket's mode. Source: {@code bind(2)}.
   *
   * @param path of at most {@link UnixSocket#MAX_PATH_BYTES}
   */
  default int bind(int fd, String path) {
    return Errno.ENOSYS.result();
  }

  /**
   * Connects a UNIX socket to the one that listens at a path; waits as long as {@link #SO_SNDTIMEO}
   * allows. Source: {@code connect(2)}.
   *
   * @param path of at most {@link UnixSocket#MAX_PATH_BYTES}
   */
  default int connect(int fd, String path) {
    return Errno.ENOSYS.result();
  }

  /**
   * Tells whether this process may open a file, without opening it: by its mode, its lists of who
   * may what, and what this process is capable of. What a container's runtime forbids beyond that
   * shows only when the file is opened. Source: {@code access(2)}, which goes by the real user.
   *
   * @param mode {@link #R_OK}, {@link #W_OK} or both
   * @return 0, or a negated errno: EACCES if it may not, ENOENT if there is no such file
   */
  default int access(String path, int mode) {
    return Errno.ENOSYS.result();
  }

  /** Changes the permissions of what is behind a descriptor. Source: {@code fchmod(2)}. */
  default int changeMode(int fd, int mode) {
    return Errno.ENOSYS.result();
  }

  /**
   * Lets others connect to a socket that is bound. Source: {@code listen(2)}.
   *
   * @param backlog how many may wait to be accepted; the kernel may take less
   */
  default int listen(int fd, int backlog) {
    return Errno.ENOSYS.result();
  }

  /**
   * Waits for the next connection to a socket that listens; it is always closed on exec. Source:
   * {@code accept4(2)}.
   *
   * @return its file descriptor, or a negated errno: ECONNABORTED where somebody is gone again
   */
  default int accept(int fd) {
    return Errno.ENOSYS.result();
  }

  /** Ends all traffic of a socket, and every wait for it. Source: {@code shutdown(2)}. */
  default int shutdown(int fd) {
    return Errno.ENOSYS.result();
  }

  /**
   * Sets an option of level {@code SOL_SOCKET}. Source: {@code setsockopt(2)}, {@code socket(7)}.
   *
   * @param option such as {@link #SO_RCVTIMEO}
   */
  default int setSocketOption(int fd, int option, MemorySegment value) {
    return Errno.ENOSYS.result();
  }

  /**
   * Tells an option of level {@code SOL_SOCKET} that is a number. Source: {@code getsockopt(2)}.
   *
   * @param option such as {@link #SO_TYPE}
   * @return its value, or a negated errno
   */
  default int socketOption(int fd, int option) {
    return Errno.ENOSYS.result();
  }

  /**
   * Sends bytes over a connected socket. A peer that is gone is EPIPE, and no signal. Source:
   * {@code send(2)}.
   *
   * @param source native memory
   * @param offset where in it the bytes begin
   * @param byteSize how many bytes
   * @param waits whether to wait for room; the answer is EAGAIN otherwise
   * @return how many bytes were taken, or a negated errno
   */
  default long send(int fd, MemorySegment source, long offset, long byteSize, boolean waits) {
    return Errno.ENOSYS.result();
  }

  /**
   * Sends bytes and descriptors over a connected socket; see {@link #send}. Source: {@code
   * sendmsg(2)}.
   *
   * @param message a {@code struct msghdr}, with addresses of what belongs to it
   */
  default long sendMessage(int fd, MemorySegment message, boolean waits) {
    return Errno.ENOSYS.result();
  }

  /**
   * Receives bytes and descriptors, which are always closed on exec. Source: {@code recvmsg(2)}.
   *
   * @param message a {@code struct msghdr}, with addresses of what belongs to it
   * @param waits whether to wait for the first byte; the answer is EAGAIN otherwise
   * @param isLimited whether {@link #SO_RCVTIMEO} was set, so that a wait may end with EAGAIN
   * @return how many bytes came, 0 at the end, or a negated errno
   */
  default long receiveMessage(int fd, MemorySegment message, boolean waits, boolean isLimited) {
    return Errno.ENOSYS.result();
  }

  /**
   * Makes a counter that a read of 8 bytes takes and zeroes and a write of 8 bytes adds to, both in
   * this machine's byte order; the descriptor is always closed on exec. Source: {@code eventfd(2)}.
   *
   * @param flags 0, or {@link #EFD_NONBLOCK}
   * @return the file descriptor, or a negated errno
   */
  int eventFd(int initial, int flags);

  /**
   * Whether a descriptor is one of {@code eventfd(2)}, and how it was made or changed.
   *
   * @return the file's flags, of which {@link #EFD_NONBLOCK} tells whether a call waits; EINVAL if
   *     it is something else or nothing; or why it cannot be looked at, such as EMFILE
   */
  default int eventFdFlags(int fd) {
    try {
      var info = readText("/proc/self/fdinfo/" + fd);
      int flags = info.indexOf("flags:");
      return flags >= 0 && info.contains("eventfd-count:")
          ? Integer.parseInt(info.substring(flags + 6).strip().split("\\s", 2)[0], 8)
          : Errno.EINVAL.result();
    } catch (NumberFormatException _) {
      return Errno.EINVAL.result();
    } catch (ErrnoException e) {
      return e.errno().equals(Errno.ENOENT) ? Errno.EINVAL.result() : e.errno().result();
    }
  }

  /**
   * Makes a set of descriptors to wait for; it is always closed on exec.
   *
   * @return the file descriptor, or a negated errno
   */
  int epollCreate();

  /**
   * Adds a descriptor to a set, or removes it.
   *
   * @param operation {@link #EPOLL_CTL_ADD} or {@link #EPOLL_CTL_DEL}
   * @param events {@link #EPOLLIN}, with {@link #EPOLLET} or without, or 0 where nothing is added
   */
  int epollControl(int epollFd, int operation, int fd, int events);

  /**
   * Waits until descriptors of a set are ready; interrupted waits are taken up again, for what is
   * left of the time.
   *
   * @param ready where to put them; its length is how many are wanted at most, 1 to 64
   * @param timeoutMillis how long to wait; 0 not at all, -1 without limit
   * @return how many are ready, 0 when the time is over, or a negated errno
   */
  int epollWait(int epollFd, int[] ready, int timeoutMillis);

  /**
   * Waits until a descriptor can be read; as {@link #epollWait} where it is interrupted.
   *
   * @param timeoutMillis how long to wait; 0 not at all, -1 without limit
   * @return 1 when it can, or has failed; 0 when the time is over; or a negated errno
   */
  int awaitReadable(int fd, int timeoutMillis);

  /**
   * Waits until a descriptor can be written; see {@link #awaitReadable}.
   *
   * @return 1 when it can, or has failed; 0 when the time is over; or a negated errno
   */
  default int awaitWritable(int fd, int timeoutMillis) {
    return Errno.ENOSYS.result();
  }

  /** Whether a write to a descriptor would not wait, at this moment. */
  default boolean isWritable(int fd) {
    return awaitWritable(fd, 0) == 1;
  }

  /**
   * Maps {@code byteSize} bytes at an address that the kernel chooses.
   *
   * @param protection {@link #PROT_READ} and {@link #PROT_WRITE}
   * @param flags {@link #MAP_SHARED}, or {@link #MAP_PRIVATE} and {@link #MAP_ANONYMOUS}, with
   *     {@link #MAP_HUGETLB} for pages of another size
   * @param fd a device or a memory file, or -1 for anonymous memory
   * @return the address, or a negated errno
   */
  long mmap(long byteSize, int protection, int flags, int fd, long offset);

  /**
   * Maps a part of a file in the place of what {@link #mmap} mapped before, which goes: at no
   * moment is there nothing. Source: {@code MAP_FIXED} in {@code mmap(2)}.
   *
   * @param address what {@link #mmap} answered
   * @param byteSize as it was mapped
   * @return {@code address}, or a negated errno
   */
  default long remap(long address, long byteSize, int protection, int fd, long offset) {
    return Errno.ENOSYS.result();
  }

  /**
   * Puts memory that nobody can read or write in the place of what {@link #mmap} mapped before, of
   * which this process keeps nothing but the addresses: a system call that is given one answers
   * EFAULT, and no other mapping gets them.
   *
   * @param address what {@link #mmap} answered
   * @param byteSize as it was mapped
   * @return {@code address}, or a negated errno: the old mapping is there as before then
   */
  default long remapInaccessible(long address, long byteSize) {
    return Errno.ENOSYS.result();
  }

  /** Unmaps what {@link #mmap} mapped. */
  int munmap(long address, long byteSize);

  /**
   * Makes a file that lives in memory only and has {@code byteSize} zero bytes; the descriptor is
   * always closed on exec.
   *
   * @param flags 0, or {@link #MFD_HUGETLB} with a page size; {@link #MFD_ALLOW_SEALING} where this
   *     is the machine's own kernel
   * @return the file descriptor, or a negated errno of {@code memfd_create(2)} or {@code
   *     ftruncate(2)}, with nothing left open
   */
  int memoryFile(String name, int flags, long byteSize);

  /** Locks pages into memory until they are unlocked or unmapped; locking twice counts once. */
  int mlock(long address, long byteSize);

  /** Undoes {@link #mlock}. */
  int munlock(long address, long byteSize);

  /**
   * Memory from {@link #mmap}, anonymous or of a memory file, to be used until {@code lifetime} is
   * closed. It is not unmapped then; access after that throws instead of crashing.
   */
  MemorySegment memory(long address, long byteSize, Arena lifetime);

  /** {@link #registers(long, long, RegisterOrder)}, opaque. */
  default Registers registers(long address, long byteSize) {
    return registers(address, byteSize, RegisterOrder.OPAQUE);
  }

  /**
   * Device memory from {@link #mmap}; closing it ends access and does not unmap.
   *
   * <p>An access that the device does not answer throws {@link InternalError}; where the code is
   * compiled that may be a little later, with a senseless value returned first.
   *
   * @param order of the accesses
   */
  Registers registers(long address, long byteSize, RegisterOrder order);

  /** The soft {@code RLIMIT_MEMLOCK} of this process in bytes, or {@link #NO_LIMIT}. */
  long lockedMemoryLimit();

  /** The names in a directory, in no particular order. */
  List<String> list(String directory) throws ErrnoException;

  /** The target of a symbolic link, as it is stored. */
  String readLink(String path) throws ErrnoException;

  /** The whole text of a small file such as those of sysfs and procfs, without a final newline. */
  default String readText(String path) throws ErrnoException {
    return new String(readBytes(path), StandardCharsets.UTF_8).stripTrailing();
  }

  /**
   * The bytes of a file such as a sysfs attribute or a device-tree property; at most 1 MiB of it.
   */
  default byte[] readBytes(String path) throws ErrnoException {
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
      throw new ErrnoException("open(" + path + ")", Errno.ofResult(fd));
    }
    try (var arena = Arena.ofConfined()) {
      var content = new ByteArrayOutputStream();
      var piece = arena.allocate(4096); // the most that a sysfs attribute has
      while (content.size() < 1 << 20) {
        long count = pread(fd, piece, content.size());
        if (count < 0) {
          throw new ErrnoException("read(" + path + ")", Errno.ofResult(count));
        }
        if (count == 0) {
          break;
        }
        content.writeBytes(piece.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE));
      }
      return content.toByteArray();
    } finally {
      close(fd);
    }
  }
}
