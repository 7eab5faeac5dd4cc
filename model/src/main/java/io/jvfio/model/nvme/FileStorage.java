// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.FileStatus;
import io.jvfio.linux.Kernel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.nvme.StorageRequest.Operation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A disk in a file or a block device. What was never written is a hole, where the file system has
 * those.
 *
 * <p>Data goes straight between the file and the client's memory, by system calls that a {@link
 * FileIo} makes; nothing is mapped, so that neither a file that was cut short nor memory that the
 * client took away is more than the error of one call. Memory that cannot be lent, or that a block
 * would lie in two pages of, goes by memory of this process: the kernel copies a page as a whole
 * and may be killed between two.
 *
 * <p>A lock keeps others from serving the same file; it ends with the process, however that ends.
 *
 * <p>What a system call could not do is tried again until the cause is known: a transfer that was
 * cut short goes on behind what was done, and the next call tells why it cannot. A failed {@code
 * fdatasync} stays failed: Linux tells of a lost write once, and the next call would succeed.
 */
final class FileStorage implements Storage {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  private static final int READABLE_BY_ALL = 0666;
  private static final int PAGE = 4096;
  private static final int SMALLEST_BLOCK = 512;
  private static final Direct NOT_DIRECT = new Direct(-1, SMALLEST_BLOCK, SMALLEST_BLOCK);
  private static final int BOUNCE = 128 << 10;
  private static final int MOST_BOUNCES = 32;

  /** How often it is looked whether there is room again. */
  private static final long ROOM_NANOS = 250_000_000;

  /** How long {@link #close} waits for calls that the kernel does not end. */
  private static final long CLOSE_NANOS = 10_000_000_000L;

  /** How long it waits for what the end itself has begun after that. */
  private static final long CLOSE_AGAIN_NANOS = CLOSE_NANOS / 10;

  /** What a flush that fails at the end means, and what to do. */
  private static final String LAST_FLUSH =
      "What was not flushed before may be lost. Check the disk, and what is on it, before it is"
          + " served again.";

  /** How often {@link #poll} goes on with what has ended meanwhile. */
  private static final int MOST_ROUNDS = 16;

  private static final long CLOSE_STEP_NANOS = 50_000;

  /** How often it is looked whether the file still has a name. */
  private static final long DELETION_NANOS = 1_000_000_000;

  private final Kernel kernel;
  private final String name;
  private final long byteSize;
  private final FileOptions options;
  private final int fd;

  private final Direct direct;
  private final FileIo io;
  private final StorageWake wake;
  private final FileFaults faults;
  private final Arena arena = Arena.ofShared();
  private final FileVectors vectors = new FileVectors(arena);
  private final RangeOrder order = new RangeOrder();
  private final Consumer<FileTask> makeReady;

  private final List<FileTask> tasks = new ArrayList<>();
  private final ArrayDeque<FileTask> free = new ArrayDeque<>();

  /** Those that may go on as soon as somebody looks. */
  private final ArrayDeque<FileTask> ready = new ArrayDeque<>();

  /** Those that wait until calls have ended, as there were too many. */
  private final ArrayDeque<FileTask> crowded = new ArrayDeque<>();

  /** Those that wait for memory of this process. */
  private final ArrayDeque<FileTask> unbuffered = new ArrayDeque<>();

  /** Those that wait for room on the disk. */
  private final ArrayDeque<FileTask> outOfRoom = new ArrayDeque<>();

  private final ArrayDeque<MemorySegment> bounces = new ArrayDeque<>();
  private final MemorySegment zeroes;

  /** How many bytes {@link #poll} may still copy before others come. */
  private long copyLeft = NvmeIo.ROUND_BYTES;

  /**
   * The task whose call makes data persistent, those that it stands for, and those for the next.
   */
  private @Nullable FileTask synchronizing;

  private final ArrayDeque<FileTask> together = new ArrayDeque<>();
  private final ArrayDeque<FileTask> unsynchronized = new ArrayDeque<>();
  private int bouncesMade;
  private long roomSought;
  private boolean isSizeKnown;
  private boolean canZero = true;
  private boolean canPunch = true;
  private boolean isDeletionTold;
  private long deletionSought;
  private @Nullable Errno lostWrites;
  private boolean isClosed;

  /** Nothing more is begun. */
  private boolean isGivenUp;

  /** What was written is on the disk, as far as the kernel says. */
  private boolean isLastSynced;

  /** What is thrown at the end hits one task, and the others go on. */
  private final EndSteps end = new EndSteps();

  private final StorageRequest lastSync = new StorageRequest(this::lastSyncEnded);

  /**
   * How a file is used.
   *
   * @param blockSize bytes of a logical block
   * @param isReadOnly whether nothing is written
   * @param isDirect whether the page cache is left out ({@code O_DIRECT})
   * @param waitsForRoom whether what finds no room waits for it, instead of failing
   * @param mayUseRing whether {@code io_uring} may be used
   */
  record FileOptions(
      int blockSize,
      boolean isReadOnly,
      boolean isDirect,
      boolean waitsForRoom,
      boolean mayUseRing) {}

  private FileStorage(
      Kernel kernel,
      String name,
      long byteSize,
      FileOptions options,
      int fd,
      Direct direct,
      StorageWake wake) {
    this.kernel = kernel;
    this.name = name;
    this.byteSize = byteSize;
    this.options = options;
    this.fd = fd;
    this.direct = direct;
    this.wake = wake;
    faults = new FileFaults(name, wake);
    zeroes = arena.allocate(BOUNCE, PAGE).asReadOnly();
    makeReady = ready::add;
    deletionSought = wake.nanoTime() - DELETION_NANOS;
    io = choose(kernel, name, options);
  }

  private FileIo choose(Kernel k, String fileName, FileOptions chosen) {
    if (chosen.mayUseRing()) {
      try {
        return RingFileIo.open(k, direct.fd >= 0 ? direct.fd : fd);
      } catch (ErrnoException e) {
        LOG.log(
            Level.INFO,
            "{0}: io_uring cannot be used ({1}); threads make the system calls instead",
            fileName,
            e.errno().symbol());
      }
    }
    return new ThreadFileIo(k, fileName, new FileCall(vectors, -1));
  }

  /**
   * Opens a file, made if there is none and lengthened if it is shorter.
   *
   * @throws IOException if that cannot be done
   */
  static FileStorage open(
      Kernel kernel, Path path, long byteSize, FileOptions options, StorageWake wake)
      throws IOException {
    var name = path.toString();
    int mode = options.isReadOnly ? Kernel.O_RDONLY : Kernel.O_RDWR | Kernel.O_CREAT;
    int fd = kernel.open(name, mode, READABLE_BY_ALL);
    int directFd = -1;
    try {
      require(name, "open", fd);
      lock(kernel, name, fd, options);
      var status = kernel.status(fd);
      lengthen(kernel, name, fd, byteSize, status, options);
      var direct = NOT_DIRECT;
      if (options.isDirect) {
        directFd = openDirect(kernel, name, fd, mode & ~Kernel.O_CREAT);
        direct = Direct.of(kernel, name, directFd, status);
      }
      return new FileStorage(kernel, name, byteSize, options, fd, direct, wake);
    } catch (IOException | RuntimeException e) {
      if (directFd >= 0) {
        kernel.close(directFd);
      }
      if (fd >= 0) {
        kernel.close(fd);
      }
      throw e;
    }
  }

  /** Opens the very file again that is open: by now its name may be that of another one. */
  private static int openDirect(Kernel kernel, String name, int fd, int mode)
      throws FileSystemException {
    int directFd = kernel.open("/proc/self/fd/" + fd, mode | Kernel.O_DIRECT, 0);
    if (directFd == Errno.EINVAL.result()) {
      throw new FileSystemException(name, null, "its file system cannot leave out the cache");
    }
    require(name, "open(O_DIRECT) by /proc/self/fd", directFd);
    return directFd;
  }

  /**
   * How the file is used without its cache.
   *
   * @param fd a descriptor for that; -1 if it is not
   * @param memoryAlignment what addresses of memory are multiples of
   * @param offsetAlignment what offsets and lengths are multiples of
   */
  private record Direct(int fd, int memoryAlignment, int offsetAlignment) {
    static Direct of(Kernel kernel, String name, int fd, FileStatus status)
        throws FileSystemException {
      if (status.directOffsetAlignment() > 0) {
        return new Direct(
            fd,
            Math.max(status.directMemoryAlignment(), SMALLEST_BLOCK),
            Math.max(status.directOffsetAlignment(), SMALLEST_BLOCK));
      }
      int found = seek(kernel, name, fd);
      return new Direct(fd, found, found);
    }

    /** Reads in ever larger pieces, where the kernel does not tell what it takes. */
    private static int seek(Kernel kernel, String name, int fd) throws FileSystemException {
      try (var arena = Arena.ofConfined()) {
        var memory = arena.allocate(2 * PAGE, PAGE);
        for (int bytes = SMALLEST_BLOCK; bytes <= PAGE; bytes *= 2) {
          long result = kernel.pread(fd, memory.asSlice(bytes, bytes), bytes);
          if (result != Errno.EINVAL.result()) {
            return bytes;
          }
        }
      }
      throw new FileSystemException(
          name,
          null,
          "without the cache it can be read in no pieces of 512 to 4,096 bytes (EINVAL): the sectors"
              + " of its disk are larger. Serve it with the cache");
    }
  }

  private static void require(String name, String operation, long result)
      throws FileSystemException {
    if (result < 0) {
      var errno = Errno.ofResult(result);
      throw errno.equals(Errno.ENOENT)
          ? new NoSuchFileException(name)
          : new FileSystemException(
              name, null, "%s: %s (%s)".formatted(operation, errno.symbol(), errno.text()));
    }
  }

  /** Two controllers on one disk would destroy what a file system keeps there. */
  private static void lock(Kernel kernel, String name, int fd, FileOptions options)
      throws FileSystemException {
    int result = kernel.lockFile(fd, !options.isReadOnly);
    if (result == Errno.EAGAIN.result() || result == Errno.EACCES.result()) {
      throw new FileSystemException(
          name, null, "it is the disk of another controller, or locked otherwise");
    }
    // Else it is locked, or this file system has no locks.
  }

  private static void lengthen(
      Kernel kernel, String name, int fd, long byteSize, FileStatus status, FileOptions options)
      throws FileSystemException {
    long present = kernel.fileSize(fd);
    require(name, "lseek", present);
    if (present >= byteSize) {
      return;
    }
    if (options.isReadOnly || !status.regular()) {
      throw new FileSystemException(
          name, null, "it has %,d bytes, and %,d are wanted".formatted(present, byteSize));
    }
    require(name, "ftruncate", kernel.truncate(fd, byteSize));
    require(name, "fdatasync", kernel.synchronizeData(fd));
    persistName(kernel, name);
  }

  /** What is flushed to a file that has no name after a power cut would be lost all the same. */
  private static void persistName(Kernel kernel, String name) {
    var directory = Objects.requireNonNull(Path.of(name).toAbsolutePath().getParent()).toString();
    int fd = kernel.open(directory, Kernel.O_RDONLY | Kernel.O_DIRECTORY);
    int result = fd < 0 ? fd : kernel.synchronizeData(fd);
    if (fd >= 0) {
      kernel.close(fd);
    }
    if (result < 0) {
      LOG.log(
          Level.WARNING,
          "{0}: its directory cannot be made persistent ({1}): a power cut may take the new name",
          name,
          Errno.ofResult(result).symbol());
    }
  }

  @Override
  public long byteSize() {
    return byteSize;
  }

  @Override
  public long allocatedBytes() {
    try {
      var status = kernel.status(fd);
      return status.regular() ? Math.min(byteSize, status.allocatedBytes()) : byteSize;
    } catch (ErrnoException _) {
      return byteSize; // as much as it can be
    }
  }

  @Override
  public String describe() {
    return "%s by %s%s%s"
        .formatted(
            name,
            io.name(),
            options.isDirect ? ", without the page cache" : "",
            options.isReadOnly ? ", read-only" : "");
  }

  @Override
  public void connect() {
    io.connect(wake);
  }

  @Override
  public void submit(StorageRequest request) {
    if (isClosed) {
      request.end(StorageResult.CANCELLED);
      return;
    }
    if (options.isReadOnly && request.operation().isChange) {
      request.end(StorageResult.READ_ONLY);
      return;
    }
    boolean needsSync =
        request.operation() == Operation.SYNC
            || (request.operation().isChange && request.isDurable());
    if (lostWrites != null && needsSync) {
      request.end(StorageResult.FAILED);
      return;
    }
    FileTask task;
    try {
      task = begin(request);
    } catch (RuntimeException | Error e) {
      request.end(StorageResult.FAILED);
      throw e;
    }
    if (request.operation() == Operation.SYNC) {
      task.step = FileTask.Step.SYNC;
      ready.add(task);
    } else if (order.add(task)) {
      ready.add(task);
    }
    goOn();
  }

  private FileTask begin(StorageRequest request) {
    var task = free.poll();
    if (task == null) {
      task = new FileTask(vectors, tasks.size());
      tasks.add(task);
    }
    task.begin(request);
    return task;
  }

  /** Has everything that is ready make its next call, as far as the round goes. */
  private void goOn() {
    while (copyLeft > 0 && !ready.isEmpty()) {
      call(ready.remove());
    }
  }

  private void call(FileTask task) {
    var request = task.request;
    int before = io.underWay();
    try {
      makeCall(task);
    } catch (RuntimeException | Error e) {
      if (io.underWay() == before) {
        giveUp(task, request, e);
      } // else its call has begun, and ends it
      throw e;
    }
  }

  /**
   * Something is wrong with this program, or with memory: that is for whoever called it. The task
   * ends, as nobody else ends it, and who comes after it at the same blocks would wait for ever.
   */
  private void giveUp(FileTask task, StorageRequest request, Throwable cause) {
    if (task.request != request) {
      return; // it has ended
    }
    for (var list : List.of(ready, crowded, unbuffered, outOfRoom, together, unsynchronized)) {
      list.remove(task);
    }
    try {
      if (task.equals(synchronizing)) {
        persisted(task, StorageResult.FAILED);
      } else {
        end(task, StorageResult.FAILED);
      }
    } catch (RuntimeException | Error e) {
      if (!e.equals(cause)) {
        cause.addSuppressed(e);
      }
    }
  }

  private void makeCall(FileTask task) {
    if (isGivenUp) {
      if (task.equals(synchronizing)) {
        persisted(task, StorageResult.CANCELLED);
      } else {
        end(task, StorageResult.CANCELLED);
      }
      return;
    }
    if (task.request.isAbandoned() && (task.isRead() || task.hasNotBegun())) {
      end(task, StorageResult.CANCELLED);
      return;
    }
    switch (task.step) {
      case WORK -> {
        switch (task.request.operation()) {
          case READ, WRITE -> transfer(task);
          case CLEAR, ZERO -> clear(task);
          case SYNC -> synchronize(task);
        }
      }
      case WRITE_ZEROES -> writeZeroes(task);
      case SYNC -> synchronize(task);
    }
  }

  private void transfer(FileTask task) {
    if (!task.isRead() && isShorter(task)) {
      return;
    }
    var request = task.request;
    var dma = request.dma();
    var buffer = request.buffer();
    task.kind = task.isRead() ? FileCall.Kind.READ : FileCall.Kind.WRITE;
    task.clearVectors();
    if (dma == null || buffer != null) {
      long address = Objects.requireNonNull(buffer).address() + task.done;
      task.addVector(address, request.byteSize() - task.done);
    } else {
      try {
        if (task.hasLeases() || (mayLease(task) && task.lease(dma))) {
          task.addLeased();
        } else if (!fillBounce(task)) {
          return;
        }
      } catch (DmaFaultException _) {
        end(task, StorageResult.MEMORY_FAULT);
        return;
      }
    }
    task.offset = request.offset() + task.done + task.bouncedDone;
    task.fd = isDirect(task) ? direct.fd : fd;
    make(task);
  }

  /** Whether the client's memory can be used as it lies. */
  private boolean mayLease(FileTask task) {
    var runs = task.request.runs();
    if (task.done > 0 || runs.hasBuckets()) {
      return false;
    }
    // A block that lies in two pages could be written by half.
    return (task.isRead() || runs.isAligned(options.blockSize))
        && (direct.fd < 0
            || runs.isAligned(Math.max(direct.memoryAlignment, direct.offsetAlignment)));
  }

  private boolean isDirect(FileTask task) {
    return direct.fd >= 0 && ((task.offset | task.byteSize) & (direct.offsetAlignment - 1)) == 0;
  }

  /** Has own memory for the next piece, with the client's data in it if it is to be written. */
  private boolean fillBounce(FileTask task) throws DmaFaultException {
    var bounce = task.bounce;
    if (bounce == null) {
      bounce = bounces.poll();
      if (bounce == null && bouncesMade < MOST_BOUNCES) {
        bouncesMade++;
        bounce = arena.allocate(BOUNCE, PAGE);
      }
      if (bounce == null) {
        unbuffered.add(task);
        return false;
      }
      task.bounce = bounce;
    }
    if (task.bouncedDone == task.bounced) {
      if (task.request.isAbandoned()) {
        end(task, StorageResult.CANCELLED); // its memory is somebody else's by now
        return false;
      }
      task.done += task.bounced;
      task.bouncedDone = 0;
      task.bounced = Math.min(BOUNCE, task.request.byteSize() - task.done);
      if (!task.isRead()) {
        var dma = Objects.requireNonNull(task.request.dma());
        copyLeft -= task.bounced;
        task.request.runs().read(dma, task.done, bounce, 0, task.bounced);
      }
    }
    task.addVector(bounce.address() + task.bouncedDone, task.bounced - task.bouncedDone);
    return true;
  }

  /**
   * Whether somebody has made the file shorter, so that a write would make it longer again, with
   * zeroes where data was, and a flush would tell of data that is gone. Looked at once for all that
   * is started together.
   */
  private boolean isShorter(FileTask task) {
    boolean isShorter = isShorter();
    if (isShorter) {
      end(task, StorageResult.FAILED);
    }
    return isShorter;
  }

  private boolean isShorter() {
    if (!isSizeKnown) {
      long size = kernel.fileSize(fd);
      if (size >= 0 && size < byteSize) {
        faults.tell("short", shorter(size));
        return true;
      }
      isSizeKnown = true;
    }
    return false;
  }

  private String shorter(long size) {
    return ("the file was made shorter: it has %,d of %,d bytes. Commands for what is missing fail,"
            + " and so do all writes and flushes. Restore the file from a copy, and start again.")
        .formatted(size, byteSize);
  }

  private void clear(FileTask task) {
    if (isShorter(task)) {
      return;
    }
    int mode = mode(task);
    if (mode == 0) {
      task.step = FileTask.Step.WRITE_ZEROES;
      writeZeroes(task);
      return;
    }
    task.kind = FileCall.Kind.ALLOCATE;
    task.fd = fd;
    task.mode = mode;
    task.offset = task.request.offset();
    task.byteSize = task.request.byteSize();
    make(task);
  }

  /** How the file system clears a range, or 0 if it cannot. */
  private int mode(FileTask task) {
    boolean wantsZero = task.request.operation() == Operation.ZERO;
    if (canZero && (wantsZero || !canPunch)) {
      return Kernel.FALLOC_FL_ZERO_RANGE | Kernel.FALLOC_FL_KEEP_SIZE;
    }
    return canPunch ? Kernel.FALLOC_FL_PUNCH_HOLE | Kernel.FALLOC_FL_KEEP_SIZE : 0;
  }

  private void writeZeroes(FileTask task) {
    if (isShorter(task)) {
      return;
    }
    task.kind = FileCall.Kind.WRITE;
    task.clearVectors();
    task.addVector(zeroes.address(), Math.min(BOUNCE, task.request.byteSize() - task.done));
    task.fd = fd;
    task.offset = task.request.offset() + task.done;
    make(task);
  }

  /**
   * One call at a time: of two, the kernel tells one of the error and the other one that all is
   * well. Who comes while one is under way is served by the next, all together.
   */
  private void synchronize(FileTask task) {
    if (synchronizing != null && !synchronizing.equals(task)) {
      unsynchronized.add(task);
      return;
    }
    synchronizing = task;
    // What has gone with the end of the file was acknowledged, and cannot be made persistent: nor
    // may those be told so that are served together with one whose own write is there. The last
    // one is tried all the same: what is there may be kept.
    if (task.request != lastSync && (lostWrites != null || isShorter())) {
      persisted(task, StorageResult.FAILED);
      return;
    }
    task.kind = FileCall.Kind.SYNC;
    task.fd = fd;
    boolean isAll = task.request.byteSize() == byteSize || !together.isEmpty();
    task.offset = isAll ? 0 : task.request.offset();
    task.byteSize = isAll ? 0 : task.request.byteSize();
    make(task);
  }

  private void make(FileTask task) {
    if (!io.begin(task)) {
      crowded.add(task);
    }
  }

  @Override
  public void start() {
    work();
  }

  @Override
  public boolean poll() {
    copyLeft = NvmeIo.ROUND_BYTES;
    return work();
  }

  private boolean work() {
    boolean worked = false;
    boolean hasBegun;
    int rounds = 0;
    isSizeKnown = false;
    do {
      for (var call = nextEnded(); call != null; call = nextEnded()) {
        worked = true;
        ended((FileTask) call);
      }
      if (!outOfRoom.isEmpty() && wake.nanoTime() - roomSought >= ROOM_NANOS) {
        seekRoom();
      }
      // What could not begin before can now, as others have ended; in the order of their coming.
      while (!crowded.isEmpty() && io.begin(crowded.peek())) {
        crowded.poll();
      }
      goOn();
      hasBegun = io.start();
      rounds++;
      // What has ended already nobody is told of.
    } while (hasBegun && rounds < MOST_ROUNDS && copyLeft > 0);
    if (hasBegun || copyLeft <= 0) {
      wake.now(); // others come first
    }
    return worked || hasBegun;
  }

  private @Nullable FileCall nextEnded() {
    return copyLeft > 0 ? io.next() : null;
  }

  private void seekRoom() {
    ready.addAll(outOfRoom);
    outOfRoom.clear();
  }

  private void ended(FileTask task) {
    var request = task.request;
    try {
      goOn(task);
    } catch (RuntimeException | Error e) {
      giveUp(task, request, e);
      throw e;
    }
  }

  /** Sees what a call has done, and what is next. */
  private void goOn(FileTask task) {
    long result = task.result;
    if (result == Errno.EINTR.result()
        || result == Errno.EAGAIN.result()
        || result == Errno.ECANCELED.result()) {
      ready.add(task); // nothing was done; a thread that submitted it may have ended
    } else if (result < 0) {
      failed(task, Errno.ofResult(result));
    } else {
      switch (task.kind) {
        case READ, WRITE -> transferred(task, result);
        case ALLOCATE -> {
          if (!outOfRoom.isEmpty()) {
            seekRoom();
          }
          changed(task);
        }
        case SYNC -> {
          tellDeletion();
          persisted(task, StorageResult.DONE);
        }
      }
    }
  }

  private void transferred(FileTask task, long count) {
    if (count == 0) {
      if (task.kind == FileCall.Kind.READ) {
        faults.tell("short", shorter(kernel.fileSize(fd)));
        end(task, StorageResult.FAILED);
      } else {
        failed(task, Errno.EIO); // no cause is told, and the next call would not either
      }
      return;
    }
    var bounce = task.bounce;
    long size = task.request.byteSize();
    if (bounce == null) {
      task.done += count;
      if (task.done < size) {
        ready.add(task);
        return;
      }
    } else {
      task.bouncedDone += count;
      if (task.bouncedDone < task.bounced) {
        ready.add(task);
        return;
      }
      if (task.isRead()) {
        if (task.request.isAbandoned() || isGivenUp) {
          end(task, StorageResult.CANCELLED); // its memory is somebody else's by now
          return;
        }
        try {
          var dma = Objects.requireNonNull(task.request.dma());
          copyLeft -= task.bounced;
          task.request.runs().write(dma, task.done, bounce, 0, task.bounced);
        } catch (DmaFaultException _) {
          end(task, StorageResult.MEMORY_FAULT);
          return;
        }
      }
      if (task.done + task.bounced < size) {
        ready.add(task);
        return;
      }
    }
    if (task.isRead()) {
      end(task, StorageResult.DONE);
    } else {
      changed(task);
    }
  }

  private void persisted(FileTask task, StorageResult result) {
    synchronizing = null;
    end(task, result);
    while (!together.isEmpty()) {
      end(together.remove(), result);
    }
    var next = unsynchronized.poll();
    if (next != null) {
      together.addAll(unsynchronized);
      unsynchronized.clear();
      ready.add(next);
    }
  }

  /** What was asked for is done, and may have to be made persistent. */
  private void changed(FileTask task) {
    if (!task.request.isDurable()) {
      end(task, StorageResult.DONE);
    } else if (lostWrites != null) {
      end(task, StorageResult.FAILED);
    } else {
      task.step = FileTask.Step.SYNC;
      ready.add(task);
    }
  }

  private void failed(FileTask task, Errno errno) {
    switch (task.kind) {
      case SYNC -> {
        lostWrites = errno;
        faults.failed(
            "fdatasync",
            task.offset,
            task.byteSize == 0 ? byteSize : task.byteSize,
            errno,
            "Writes that were not flushed may be lost, and the kernel tells of that only once:"
                + " from now on every flush fails. Check the disk, and start again.");
        persisted(task, StorageResult.FAILED);
      }
      case ALLOCATE -> {
        if (errno.equals(Errno.EOPNOTSUPP)) {
          if ((task.mode & Kernel.FALLOC_FL_ZERO_RANGE) != 0) {
            canZero = false;
          } else {
            canPunch = false;
          }
          ready.add(task);
        } else if (errno.equals(Errno.EINVAL)) {
          task.step = FileTask.Step.WRITE_ZEROES; // a part of a block of what is below
          ready.add(task);
        } else {
          refused(task, "fallocate", errno);
        }
      }
      case READ -> {
        if (errno.equals(Errno.EFAULT)) {
          end(task, StorageResult.MEMORY_FAULT);
        } else {
          faults.failed(
              "read",
              task.offset,
              task.byteSize,
              errno,
              "The command fails: its data is not there.");
          end(task, StorageResult.FAILED);
        }
      }
      case WRITE -> {
        if (errno.equals(Errno.EFAULT)) {
          end(task, StorageResult.MEMORY_FAULT);
        } else {
          refused(task, "write", errno);
        }
      }
    }
  }

  /** The file system did not take a change. */
  private void refused(FileTask task, String operation, Errno errno) {
    if (errno.equals(Errno.ENOSPC) || errno.equals(Errno.EDQUOT)) {
      boolean waits = options.waitsForRoom && !isClosed;
      faults.failed(
          operation,
          task.offset,
          task.byteSize,
          errno,
          waits
              ? "The command waits until there is room."
              : "The command fails with Capacity Exceeded. Make room.");
      if (waits) {
        // It may take long: memory is borrowed anew.
        task.endLeases(false);
        task.done += task.bouncedDone;
        giveBack(task);
        if (outOfRoom.isEmpty()) {
          roomSought = wake.nanoTime();
          wake.in(ROOM_NANOS);
        }
        outOfRoom.add(task);
      } else {
        end(task, StorageResult.FULL);
      }
    } else if (errno.equals(Errno.EROFS)) {
      faults.failed(
          operation,
          task.offset,
          task.byteSize,
          errno,
          "The file system has become read-only: see the kernel's log for the reason.");
      end(task, StorageResult.READ_ONLY);
    } else {
      faults.failed(
          operation, task.offset, task.byteSize, errno, "The command fails with Write Fault.");
      end(task, StorageResult.FAILED);
    }
  }

  /** Says once that all of this will be gone. */
  private void tellDeletion() {
    long now = wake.nanoTime();
    if (!isDeletionTold && now - deletionSought >= DELETION_NANOS) {
      deletionSought = now;
      try {
        isDeletionTold = kernel.status(fd).links() == 0;
      } catch (ErrnoException _) {
        return; // it is open and cannot be asked: nothing is known of it
      }
      if (isDeletionTold) {
        faults.tell(
            "deleted",
            "the file was deleted: what is written goes with the end of this process. Copy the disk"
                + " from inside of the guest.");
      }
    }
  }

  private void end(FileTask task, StorageResult result) {
    try {
      task.endLeases(task.isRead());
    } finally {
      giveBack(task);
      if (task.request.operation() != Operation.SYNC) {
        order.remove(task, makeReady);
      }
      var request = task.request;
      task.finish();
      free.push(task); // what it has grown to is used first
      request.end(result);
    }
  }

  /** Gives the memory of a task to the next that waits for some, if it has any. */
  private void giveBack(FileTask task) {
    var bounce = task.bounce;
    if (bounce != null) {
      task.bounce = null;
      task.bounced = 0;
      task.bouncedDone = 0;
      bounces.add(bounce);
    }
    // Also where it was given some in vain: it ends without.
    if (!bounces.isEmpty() && !unbuffered.isEmpty()) {
      ready.add(unbuffered.remove());
    }
  }

  @Override
  public boolean hasLostWrites() {
    return lostWrites != null;
  }

  @Override
  public boolean isIdle() {
    return tasks.size() == free.size();
  }

  @Override
  public boolean isQuiet() {
    return (io.underWay() == 0 && crowded.isEmpty() && ready.isEmpty())
        || tasks.stream().noneMatch(FileTask::usesClientMemory);
  }

  @Override
  public boolean cancel(StorageRequest request) {
    for (var task : tasks) {
      if (task.request == request && isWaiting(task)) {
        outOfRoom.remove(task);
        unbuffered.remove(task);
        end(task, StorageResult.CANCELLED);
        return true;
      }
    }
    return false;
  }

  private boolean isWaiting(FileTask task) {
    return task.order.isWaiting() || outOfRoom.contains(task) || unbuffered.contains(task);
  }

  @Override
  public void readNow(long offset, MemorySegment target, long length) throws IOException {
    for (long done = 0; done < length; ) {
      long count = kernel.pread(fd, target.asSlice(done, length - done), offset + done);
      require(name, "read", count == 0 ? Errno.EIO.result() : count);
      done += count;
    }
  }

  @Override
  public void writeNow(long offset, MemorySegment source, long length) throws IOException {
    for (long done = 0; done < length; ) {
      long count = kernel.pwrite(fd, source.asSlice(done, length - done), offset + done);
      require(name, "write", count == 0 ? Errno.EIO.result() : count);
      done += count;
    }
  }

  private void awaitIdle(long until) {
    while (!isIdle() && wake.nanoTime() - until < 0) {
      end.run(this::pollOrPause);
    }
  }

  private void pollOrPause() {
    boolean worked = false;
    try {
      worked = poll();
    } finally {
      if (!worked) {
        wake.pause(CLOSE_STEP_NANOS);
      }
    }
  }

  /** As every call: it may not end either. Also after one that failed: what came since is kept. */
  private void synchronizeAtEnd() {
    if (options.isReadOnly) {
      isLastSynced = true;
    } else {
      var task = begin(lastSync.range(Operation.SYNC, 0, byteSize, false));
      task.step = FileTask.Step.SYNC;
      ready.add(task);
    }
  }

  private void lastSyncEnded(StorageRequest request) {
    isLastSynced = request.result() == StorageResult.DONE;
    if (request.result() == StorageResult.CANCELLED) {
      LOG.log(
          Level.WARNING,
          "{0}: the disk did not answer in time to flush it. What was not flushed before may be"
              + " lost.",
          name);
    }
  }

  /** Nobody is told by the end of a process that data may be lost, unless by an error. */
  private void requireLastSync() {
    if (!isLastSynced) {
      var why =
          lostWrites != null
              ? "the last fdatasync failed: %s (%s)"
                  .formatted(lostWrites.symbol(), lostWrites.text())
              : "the last fdatasync did not end in time";
      var lost =
          new UncheckedIOException(new FileSystemException(name, null, why + ". " + LAST_FLUSH));
      end.suppressInto(lost);
      throw lost;
    }
    end.rethrow();
  }

  /** Takes back what the kernel has not begun, and begins nothing more. */
  private void giveUp() {
    isGivenUp = true;
    ready.addAll(crowded);
    crowded.clear();
    ready.addAll(unsynchronized);
    unsynchronized.clear();
    ready.addAll(together);
    together.clear();
    io.cancelAll();
  }

  @Override
  public void close() {
    if (isClosed) {
      return;
    }
    isClosed = true;
    for (var task : List.copyOf(tasks)) {
      end.run(() -> cancel(task.request));
    }
    long until = wake.nanoTime() + CLOSE_NANOS;
    awaitIdle(until);
    end.run(this::synchronizeAtEnd);
    awaitIdle(until + CLOSE_AGAIN_NANOS); // which may have waited for the same disk
    if (!isIdle()) {
      end.run(this::giveUp);
      awaitIdle(until + 2 * CLOSE_AGAIN_NANOS);
    }
    if (isIdle()) {
      release();
    } else {
      // What the kernel still works at must not be given back.
      LOG.log(
          Level.ERROR,
          "{0}: {1} of its system calls do not end. Nothing more is begun, but the kernel may still"
              + " carry these out: the file stays open and locked, and the memory that they use"
              + " borrowed, until this process ends.",
          name,
          io.underWay());
    }
    requireLastSync();
  }

  private void release() {
    end.run(io::close);
    // Whose next server starts at once: the kernel may keep the file a little.
    end.run(() -> kernel.unlockFile(fd));
    if (direct.fd >= 0) {
      end.run(() -> kernel.close(direct.fd));
    }
    end.run(() -> kernel.close(fd));
    end.run(arena::close);
  }
}
