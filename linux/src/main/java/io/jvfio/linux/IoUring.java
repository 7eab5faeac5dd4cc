// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import io.jvfio.linux.uapi.IoUringCqe;
import io.jvfio.linux.uapi.IoUringParams;
import io.jvfio.linux.uapi.IoUringProbe;
import io.jvfio.linux.uapi.IoUringProbeOp;
import io.jvfio.linux.uapi.IoUringSqe;
import io.jvfio.linux.uapi.Uring;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.BitSet;

/**
 * File operations that the kernel does while the caller goes on: {@code io_uring}. Operations are
 * prepared, handed over together by {@link #submit()}, and end in any order; {@link #next()} takes
 * their results one by one. Source: {@code io_uring(7)}.
 *
 * <p>A submission and a completion ring are shared with the kernel. In the first mapping, where the
 * kernel says, are four numbers that count on and on, flags, and the completions; in the second the
 * submissions. An index is such a number modulo the size of its ring, a power of two.
 *
 * <pre>
 *   submission ring                        completion ring
 *   head    operations taken    kernel     head         completions taken    we
 *   tail    operations made     we         tail         completions made     kernel
 *   flags   IORING_SQ_          kernel     flags        IORING_CQ_           we
 *   array   indexes of SQEs     we, once   cqes         CQE, CQE, ...        kernel
 *
 *   second mapping              SQE, SQE, ...           we
 * </pre>
 *
 * <p>Whoever writes a tail has written the entries before it (release), and whoever reads one reads
 * the entries after it (acquire); a head is written when an entry may be used again.
 *
 * <p>Memory of an operation must stay where it is until its completion was taken. If an operation's
 * memory is not there its result is EFAULT, and nothing else happens.
 *
 * <p>Not thread-safe: one caller at a time, but any. A thread that submits must live until what it
 * submitted has ended: Linux may cancel the operations of a thread that ends. A thread whose
 * operations are in flight may find its own waits interrupted. No operation allocates anything.
 */
public final class IoUring implements AutoCloseable {
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle().withInvokeExactBehavior();

  private static final int FEATURES = Uring.IORING_FEAT_SINGLE_MMAP | Uring.IORING_FEAT_NODROP;

  /** The operations that this class has, the youngest of them from Linux 5.6. */
  private static final int[] OPERATIONS = {
    Uring.IORING_OP_READV,
    Uring.IORING_OP_WRITEV,
    Uring.IORING_OP_FSYNC,
    Uring.IORING_OP_READ_FIXED,
    Uring.IORING_OP_WRITE_FIXED,
    Uring.IORING_OP_ASYNC_CANCEL,
    Uring.IORING_OP_FALLOCATE,
    Uring.IORING_OP_READ,
    Uring.IORING_OP_WRITE
  };

  private static final int MOST_OPERATIONS = 256;
  private static final int NONE = -1;

  private final Kernel kernel;
  private final Arena arena = Arena.ofShared();
  private final BitSet supported;

  private final long ringsAddress;
  private final long ringsSize;
  private final MemorySegment rings;
  private final long headOffset;
  private final long tailOffset;
  private final long flagsOffset;
  private final long completedHeadOffset;
  private final long completedTailOffset;
  private final long completedFlagsOffset;

  private final long submissionsAddress;
  private final long submissionsSize;
  private final MemorySegment[] submissions;
  private final MemorySegment[] completions;

  private int fd;
  private int registeredFile = NONE;
  private boolean hasBuffer;

  /** How many submissions were prepared, and how many of them the kernel has taken. */
  private int tail;

  private int head;
  private int completedHead;
  private int inFlight;
  private long userData;
  private int result;

  private IoUring(
      Kernel kernel,
      int fd,
      MemorySegment params,
      BitSet supported,
      long ringsAddress,
      long submissionsAddress) {
    this.kernel = kernel;
    this.fd = fd;
    this.supported = supported;
    this.ringsAddress = ringsAddress;
    this.ringsSize = ringsSize(params);
    this.rings = kernel.memory(ringsAddress, ringsSize, arena);
    this.headOffset = IoUringParams.SQ_OFF_HEAD.get(params);
    this.tailOffset = IoUringParams.SQ_OFF_TAIL.get(params);
    this.flagsOffset = IoUringParams.SQ_OFF_FLAGS.get(params);
    this.completedHeadOffset = IoUringParams.CQ_OFF_HEAD.get(params);
    this.completedTailOffset = IoUringParams.CQ_OFF_TAIL.get(params);
    this.completedFlagsOffset = IoUringParams.CQ_OFF_FLAGS.get(params);

    this.submissionsAddress = submissionsAddress;
    this.submissionsSize = submissionsSize(params);
    this.submissions = new MemorySegment[IoUringParams.SQ_ENTRIES.get(params)];
    this.completions = new MemorySegment[IoUringParams.CQ_ENTRIES.get(params)];
    var entries = kernel.memory(submissionsAddress, submissionsSize, arena);
    for (int i = 0; i < submissions.length; i++) {
      submissions[i] = entries.asSlice(i * IoUringSqe.BYTES, IoUringSqe.BYTES);
      // The ring holds indexes of submissions. Used in turn, they never change.
      long index = IoUringParams.SQ_OFF_ARRAY.get(params) + (long) i * Integer.BYTES;
      rings.set(ValueLayout.JAVA_INT, index, i);
    }
    for (int i = 0; i < completions.length; i++) {
      completions[i] =
          rings.asSlice(
              IoUringParams.CQ_OFF_CQES.get(params) + i * IoUringCqe.BYTES, IoUringCqe.BYTES);
    }
  }

  /**
   * Opens rings for {@code entries} submissions and twice as many completions.
   *
   * @param entries how many operations can be prepared at a time, 1 to 32768; rounded up to a power
   *     of two
   * @throws ErrnoException ENOSYS, EPERM or EACCES where there is no io_uring, or none of Linux
   *     5.6, or it is forbidden, as in many containers: the caller takes threads then; ENOMEM where
   *     {@code RLIMIT_MEMLOCK} is too small; EINVAL for a number that is out of range
   */
  public static IoUring open(Kernel kernel, int entries) throws ErrnoException {
    return open(kernel, entries, (int) Math.min(2L * entries, Integer.MAX_VALUE));
  }

  /**
   * Opens rings for {@code entries} submissions and {@code completions} results. More of them are
   * kept by the kernel until there is room, which takes it memory and time.
   *
   * @param entries as of {@link #open(Kernel, int)}
   * @param completions not less than {@code entries}, and at most 65536; rounded up alike
   * @throws ErrnoException as of {@link #open(Kernel, int)}
   */
  public static IoUring open(Kernel kernel, int entries, int completions) throws ErrnoException {
    try (var scratch = Arena.ofConfined()) {
      var params = IoUringParams.STRUCT.allocate(scratch);
      int flags = Uring.IORING_SETUP_CQSIZE | Uring.IORING_SETUP_SUBMIT_ALL;
      int fd = setUp(kernel, entries, completions, flags, params);
      if (fd == Errno.EINVAL.result()) { // before Linux 5.18
        fd = setUp(kernel, entries, completions, Uring.IORING_SETUP_CQSIZE, params);
      }
      if (fd < 0) {
        throw failed("io_uring_setup(" + entries + ")", fd);
      }
      try {
        return map(kernel, fd, params, supported(kernel, fd, params, scratch));
      } catch (ErrnoException e) {
        kernel.close(fd);
        throw e;
      }
    }
  }

  private static int setUp(
      Kernel kernel, int entries, int completions, int flags, MemorySegment params) {
    params.fill((byte) 0);
    IoUringParams.FLAGS.set(params, flags);
    IoUringParams.CQ_ENTRIES.set(params, completions);
    return kernel.ioUringSetup(entries, params);
  }

  private static BitSet supported(Kernel kernel, int fd, MemorySegment params, Arena scratch)
      throws ErrnoException {
    var probe = IoUringProbe.allocate(scratch, MOST_OPERATIONS);
    int probed = kernel.ioUringRegister(fd, Uring.IORING_REGISTER_PROBE, probe, MOST_OPERATIONS);
    if (probed < 0 && probed != Errno.EINVAL.result()) {
      throw failed("io_uring_register(IORING_REGISTER_PROBE)", probed);
    }
    var supported = new BitSet(MOST_OPERATIONS);
    for (int i = 0; i < Byte.toUnsignedInt(IoUringProbe.OPS_LEN.get(probe)); i++) {
      int flags = IoUringProbeOp.FLAGS.get(IoUringProbe.operation(probe, i));
      supported.set(i, (flags & Uring.IO_URING_OP_SUPPORTED) != 0);
    }
    boolean isComplete = (IoUringParams.FEATURES.get(params) & FEATURES) == FEATURES;
    for (int opcode : OPERATIONS) {
      isComplete &= supported.get(opcode);
    }
    if (!isComplete) {
      throw new ErrnoException("io_uring of Linux 5.6 or later", Errno.ENOSYS);
    }
    return supported;
  }

  private static IoUring map(Kernel kernel, int fd, MemorySegment params, BitSet supported)
      throws ErrnoException {
    long ringsSize = ringsSize(params);
    long ringsAddress = map(kernel, fd, ringsSize, Uring.IORING_OFF_SQ_RING);
    try {
      long submissionsAddress = map(kernel, fd, submissionsSize(params), Uring.IORING_OFF_SQES);
      return new IoUring(kernel, fd, params, supported, ringsAddress, submissionsAddress);
    } catch (ErrnoException e) {
      kernel.munmap(ringsAddress, ringsSize);
      throw e;
    }
  }

  private static long map(Kernel kernel, int fd, long byteSize, long offset) throws ErrnoException {
    int protection = Kernel.PROT_READ | Kernel.PROT_WRITE;
    long address = kernel.mmap(byteSize, protection, Kernel.MAP_SHARED, fd, offset);
    if (address < 0) {
      throw failed("mmap(io_uring)", address);
    }
    return address;
  }

  private static long ringsSize(MemorySegment params) {
    long array =
        IoUringParams.SQ_OFF_ARRAY.get(params)
            + (long) Integer.BYTES * IoUringParams.SQ_ENTRIES.get(params);
    long completions =
        IoUringParams.CQ_OFF_CQES.get(params)
            + IoUringCqe.BYTES * IoUringParams.CQ_ENTRIES.get(params);
    return Math.max(array, completions);
  }

  private static long submissionsSize(MemorySegment params) {
    return IoUringSqe.BYTES * IoUringParams.SQ_ENTRIES.get(params);
  }

  private static ErrnoException failed(String operation, long result) {
    return new ErrnoException(operation, Errno.ofResult(result));
  }

  /** Whether this kernel has an operation. */
  public boolean supports(int opcode) {
    return supported.get(opcode);
  }

  /**
   * Registers a file, once: operations on {@code fd} from now on need not look it up. The ring
   * holds the file open then, whatever becomes of {@code fd}, until {@link #close()}.
   *
   * @return 0, or a negated errno: EBUSY if there is one already
   */
  public int registerFile(int fd) {
    int registered = register(Uring.IORING_REGISTER_FILES, fd);
    if (registered >= 0) {
      registeredFile = fd;
    }
    return registered;
  }

  /**
   * Registers memory, once, for {@link #readFixed} and {@link #writeFixed} with index 0. Its pages
   * are locked until {@link #close()}, and count for {@code RLIMIT_MEMLOCK}.
   *
   * @return 0, or a negated errno: EBUSY if there is some already, ENOMEM above the limit
   */
  public int registerBuffer(long address, long byteSize) {
    try (var scratch = Arena.ofConfined()) {
      var vector = scratch.allocateFrom(ValueLayout.JAVA_LONG, address, byteSize);
      int registered = kernel.ioUringRegister(fd, Uring.IORING_REGISTER_BUFFERS, vector, 1);
      hasBuffer |= registered >= 0;
      return registered;
    }
  }

  /**
   * Has every completion signal an eventfd, once; see {@link #tellOfCompletions}.
   *
   * @return 0, or a negated errno: EBUSY if there is one already
   */
  public int registerEventFd(int eventFd) {
    return register(Uring.IORING_REGISTER_EVENTFD, eventFd);
  }

  private int register(int operation, int descriptor) {
    try (var scratch = Arena.ofConfined()) {
      var argument = scratch.allocateFrom(ValueLayout.JAVA_INT, descriptor);
      return kernel.ioUringRegister(fd, operation, argument, 1);
    }
  }

  /**
   * Lets completions signal the eventfd, or not, as while the caller looks for them anyway; before
   * Linux 5.8 they always do. After turning this on, look once more: what came before did not
   * signal.
   */
  public void tellOfCompletions(boolean on) {
    if (completedFlagsOffset != 0) {
      WORD.setVolatile(rings, completedFlagsOffset, on ? 0 : Uring.IORING_CQ_EVENTFD_DISABLED);
      // The next look at the tail must not come before this: the kernel writes the tail, and
      // then reads the flag.
      VarHandle.fullFence();
    }
  }

  /** The number of operations that can be prepared before {@link #submit()} must make room. */
  public int room() {
    return submissions.length - (tail - head);
  }

  /** The number of operations that were submitted and whose completions were not taken yet. */
  public int inFlight() {
    return inFlight;
  }

  /** Prepares a read of {@code byteSize} bytes at {@code offset} to {@code address}. */
  public void read(int fd, long address, int byteSize, long offset, long userData) {
    prepare(Uring.IORING_OP_READ, fd, offset, address, byteSize, userData);
  }

  /** Prepares a read as of {@link Kernel#preadv}; the vectors must stay until it has ended. */
  public void readVectors(int fd, long vectorsAddress, int count, long offset, long userData) {
    prepare(Uring.IORING_OP_READV, fd, offset, vectorsAddress, count, userData);
  }

  /** Prepares a read into memory within the registered buffer {@code bufferIndex}. */
  public void readFixed(
      int fd, long address, int byteSize, long offset, int bufferIndex, long userData) {
    var entry = prepare(Uring.IORING_OP_READ_FIXED, fd, offset, address, byteSize, userData);
    IoUringSqe.BUF_INDEX.set(entry, (short) bufferIndex);
  }

  /** Prepares a write of {@code byteSize} bytes at {@code address} to {@code offset}. */
  public void write(int fd, long address, int byteSize, long offset, long userData) {
    prepare(Uring.IORING_OP_WRITE, fd, offset, address, byteSize, userData);
  }

  /** Prepares a write as of {@link Kernel#pwritev}; the vectors must stay until it has ended. */
  public void writeVectors(int fd, long vectorsAddress, int count, long offset, long userData) {
    prepare(Uring.IORING_OP_WRITEV, fd, offset, vectorsAddress, count, userData);
  }

  /** Prepares a write from memory within the registered buffer {@code bufferIndex}. */
  public void writeFixed(
      int fd, long address, int byteSize, long offset, int bufferIndex, long userData) {
    var entry = prepare(Uring.IORING_OP_WRITE_FIXED, fd, offset, address, byteSize, userData);
    IoUringSqe.BUF_INDEX.set(entry, (short) bufferIndex);
  }

  /**
   * Prepares a {@link Kernel#synchronizeData} of a part of a file, or of all of it with 0 and 0. It
   * covers the writes that have ended, and not those that were only submitted before it.
   */
  public void synchronizeData(int fd, long offset, int byteSize, long userData) {
    var entry = prepare(Uring.IORING_OP_FSYNC, fd, offset, 0, byteSize, userData);
    IoUringSqe.RW_FLAGS.set(entry, Uring.IORING_FSYNC_DATASYNC);
  }

  /** Prepares a {@link Kernel#allocate}. */
  public void allocate(int fd, int mode, long offset, long byteSize, long userData) {
    prepare(Uring.IORING_OP_FALLOCATE, fd, offset, byteSize, mode, userData);
  }

  /**
   * Prepares the end of an operation before its time; both complete. The result is 0 if the
   * operation ends with ECANCELED, ENOENT if there is none, and EALREADY if it has begun: it may
   * end either way then.
   */
  public void cancel(long userDataOfTarget, long userData) {
    prepare(Uring.IORING_OP_ASYNC_CANCEL, NONE, 0, userDataOfTarget, 0, userData);
  }

  /**
   * Prepares the end of all operations that were submitted, before their time, as of {@link
   * #cancel}. The result is how many there were; before Linux 5.19 it is EINVAL, and they end by
   * themselves.
   */
  public void cancelAll(long userData) {
    var entry = prepare(Uring.IORING_OP_ASYNC_CANCEL, NONE, 0, 0, 0, userData);
    IoUringSqe.RW_FLAGS.set(entry, Uring.IORING_ASYNC_CANCEL_ALL | Uring.IORING_ASYNC_CANCEL_ANY);
  }

  private MemorySegment prepare(
      int opcode, int file, long offset, long address, int length, long userData) {
    if (tail - head == submissions.length) {
      throw new IllegalStateException(
          "all " + submissions.length + " submissions are prepared: submit() makes room");
    }
    boolean isRegistered = file == registeredFile && file != NONE;
    var entry = submissions[tail & (submissions.length - 1)];
    IoUringSqe.OPCODE.set(entry, (byte) opcode);
    IoUringSqe.FLAGS.set(entry, (byte) (isRegistered ? Uring.IOSQE_FIXED_FILE : 0));
    IoUringSqe.FD.set(entry, isRegistered ? 0 : file);
    IoUringSqe.OFF.set(entry, offset);
    IoUringSqe.ADDR.set(entry, address);
    IoUringSqe.LEN.set(entry, length);
    IoUringSqe.RW_FLAGS.set(entry, 0);
    IoUringSqe.USER_DATA.set(entry, userData);
    IoUringSqe.BUF_INDEX.set(entry, (short) 0);
    tail++;
    return entry;
  }

  /**
   * Hands over what was prepared.
   *
   * @return how many operations the kernel has taken, which may be fewer, or a negated errno if it
   *     took none: EAGAIN without memory, EBUSY with too many completions that were not taken. The
   *     others stay prepared for the next call.
   */
  public int submit() {
    int taken = 0;
    while (tail != head) {
      WORD.setRelease(rings, tailOffset, tail);
      int answer = kernel.ioUringEnter(fd, tail - head, 0, 0);
      int count = (int) WORD.getAcquire(rings, headOffset) - head;
      head += count;
      inFlight += count;
      taken += count;
      if (count == 0) {
        return taken == 0 ? answer : taken;
      }
    }
    return taken;
  }

  /**
   * Waits until completions can be taken.
   *
   * @param minComplete how many; at most as many as are in flight, and as the ring has room for,
   *     are waited for
   * @return 0, or a negated errno: EBADR if the kernel had no memory to keep completions, which are
   *     lost
   */
  public int await(int minComplete) {
    return kernel.ioUringEnter(
        fd, 0, Math.min(minComplete, inFlight), Uring.IORING_ENTER_GETEVENTS);
  }

  /**
   * Takes the next completion, if there is one; {@link #userData} and {@link #result} tell of it.
   *
   * @throws IllegalStateException if the kernel does not hand out completions that it keeps
   */
  public boolean next() {
    if (completedHead == completedTail() && !fetch()) {
      return false;
    }
    var entry = completions[completedHead & (completions.length - 1)];
    userData = IoUringCqe.USER_DATA.get(entry);
    result = IoUringCqe.RES.get(entry);
    completedHead++;
    WORD.setRelease(rings, completedHeadOffset, completedHead);
    inFlight--;
    return true;
  }

  private int completedTail() {
    return (int) WORD.getAcquire(rings, completedTailOffset);
  }

  /** Asks for completions that found no room in the ring. */
  private boolean fetch() {
    int flags = (int) WORD.getAcquire(rings, flagsOffset);
    if ((flags & Uring.IORING_SQ_CQ_OVERFLOW) == 0) {
      return false;
    }
    int answer = await(0);
    if (answer < 0) {
      throw new IllegalStateException(failed("io_uring_enter(IORING_ENTER_GETEVENTS)", answer));
    }
    return completedHead != completedTail();
  }

  /** The user data of the operation that {@link #next()} took. */
  public long userData() {
    return userData;
  }

  /** The result of the operation that {@link #next()} took, or a negated errno. */
  public int result() {
    return result;
  }

  /**
   * Forgets what was prepared, cancels what is in flight, and waits until it has ended, since until
   * then the kernel uses its memory. Then the rings and what was registered are gone.
   *
   * @throws IllegalStateException if the kernel does not let go of operations that are in flight,
   *     whose memory must not be used any more
   */
  @Override
  public void close() {
    if (fd == NONE) {
      return;
    }
    try {
      endAll();
    } finally {
      // By itself the kernel lets go of these some time after the descriptor is closed.
      if (registeredFile != NONE) {
        kernel.ioUringRegister(fd, Uring.IORING_UNREGISTER_FILES, MemorySegment.NULL, 0);
      }
      if (hasBuffer) {
        kernel.ioUringRegister(fd, Uring.IORING_UNREGISTER_BUFFERS, MemorySegment.NULL, 0);
      }
      arena.close();
      kernel.munmap(submissionsAddress, submissionsSize);
      kernel.munmap(ringsAddress, ringsSize);
      kernel.close(fd);
      fd = NONE;
    }
  }

  private void endAll() {
    tail = head;
    int answer = 0;
    if (!takeAll()) {
      cancelAll(0);
      answer = submit();
    }
    while (answer >= 0 && !takeAll()) {
      answer = await(1);
    }
    if (answer < 0) {
      throw new IllegalStateException(
          inFlight + " operations do not end, and their memory must not be used any more",
          failed("io_uring_enter", answer));
    }
  }

  /** Takes all completions that are there; their results are of no use any more. */
  private boolean takeAll() {
    boolean hasMore = inFlight > 0;
    while (hasMore) {
      hasMore = next() && inFlight > 0;
    }
    return inFlight == 0;
  }

  @Override
  public String toString() {
    return "io_uring, descriptor " + fd;
  }
}
