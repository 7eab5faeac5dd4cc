// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.LinuxKernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A kernel whose calls on files end as a test wants: with another result, with less done, or not
 * before the test says so. Its {@code io_uring} is an {@link EmulatedRing}, so that this goes for
 * calls by that, too.
 *
 * <p>What no rule says anything of is done by this machine's kernel, but that nothing is made
 * persistent: a disk would take its time for that.
 */
final class FaultKernel extends ForwardingKernel {
  /** Which calls there are. */
  enum Kind {
    READ,
    WRITE,
    SYNC,
    ALLOCATE,
  }

  /**
   * A call on a file.
   *
   * @param mode of ALLOCATE
   * @param pieces how many pieces of memory there are
   */
  record Call(Kind kind, int fd, long offset, long byteSize, int mode, int pieces) {
    boolean touches(long from, long length) {
      return offset < from + length && from < offset + byteSize;
    }
  }

  /** What becomes of a call. */
  sealed interface Answer {
    /** It is made. */
    record Made() implements Answer {}

    /** It is not made, and has this result: a negated errno, say. */
    record Result(long value) implements Answer {}

    /** It is made, but for what is behind so many bytes. */
    record Cut(long byteSize) implements Answer {}

    /** It does not end before the test has it go on. */
    record Held() implements Answer {}
  }

  /** Chooses an answer; null to leave it to others. */
  interface Rule {
    @Nullable Answer answer(Call call);
  }

  private record HeldCall(Call call, Consumer<Answer> goOn) {}

  static final Answer MADE = new Answer.Made();
  static final Answer HELD = new Answer.Held();

  private final Map<Integer, EmulatedRing> rings = new HashMap<>();
  private final Map<Long, EmulatedRing> mappings = new HashMap<>();
  private final ArrayDeque<HeldCall> held = new ArrayDeque<>();
  private final List<Call> calls = new ArrayList<>();
  private @Nullable Rule rule;
  private boolean isRecording;
  private boolean isCancelling;
  private long claimedSize = -1;

  /** Results of the next calls of {@code io_uring_enter}, which do nothing. */
  final ArrayDeque<Integer> refusedEnters = new ArrayDeque<>();

  FaultKernel() {
    super(LinuxKernel.instance());
  }

  static Answer errno(Errno errno) {
    return new Answer.Result(errno.result());
  }

  /** From now on calls are answered by this rule. */
  synchronized void rule(@Nullable Rule chosen) {
    rule = chosen;
  }

  /** From now on {@link #calls} tells what is called. */
  synchronized void record() {
    isRecording = true;
    calls.clear();
  }

  /** The calls since {@link #record}, in the order of their coming. */
  synchronized List<Call> calls() {
    return List.copyOf(calls);
  }

  /** Claims that files have so many bytes; -1 for the truth. */
  synchronized void claimSize(long byteSize) {
    claimedSize = byteSize;
  }

  private synchronized Answer decide(Call call) {
    if (isRecording) {
      calls.add(call);
    }
    var answer = rule == null ? null : rule.answer(call);
    if (answer == null) {
      return call.kind == Kind.SYNC ? new Answer.Result(0) : MADE;
    }
    return answer;
  }

  private synchronized void hold(Call call, Consumer<Answer> goOn) {
    held.add(new HeldCall(call, goOn));
    notifyAll();
  }

  /** Waits until so many calls are held, and has the controller do what it asks for meanwhile. */
  void awaitHeld(int count, NvmeHost host) {
    for (int i = 0; heldCount() < count && i < 2000; i++) {
      host.settle();
      awaitAnother(count);
    }
    if (heldCount() < count) {
      throw new AssertionError("%d calls are held, not %d".formatted(heldCount(), count));
    }
  }

  private synchronized void awaitAnother(int count) {
    try {
      long begin = System.nanoTime();
      while (held.size() < count && System.nanoTime() - begin < 10_000_000) {
        wait(10);
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  synchronized int heldCount() {
    return held.size();
  }

  /** Lets the first call that is held go on. */
  void release(Answer answer) {
    HeldCall first;
    synchronized (this) {
      first = held.remove();
    }
    first.goOn.accept(answer);
  }

  /** Lets all calls that are held go on, and be made. */
  void releaseAll() {
    while (heldCount() > 0) {
      release(MADE);
    }
  }

  /**
   * Has a call answered.
   *
   * @param made makes it, for so many bytes at most, and returns its result
   * @param ended takes the result; at once, or some time later
   */
  void answer(Call call, LongUnaryOperator made, Consumer<Long> ended) {
    var answer = decide(call);
    if (answer instanceof Answer.Held) {
      hold(call, later -> ended.accept(result(later, made)));
    } else {
      ended.accept(result(answer, made));
    }
  }

  private static long result(Answer answer, LongUnaryOperator made) {
    return switch (answer) {
      case Answer.Made _ -> made.applyAsLong(Long.MAX_VALUE);
      case Answer.Result(var value) -> value;
      case Answer.Cut(var byteSize) -> made.applyAsLong(byteSize);
      case Answer.Held _ -> throw new AssertionError("held twice");
    };
  }

  /** From now on calls that are held can be cancelled; the others are with the disk already. */
  synchronized void letCancel() {
    isCancelling = true;
  }

  /** Cancels what can be; returns how many there were, or EALREADY. */
  int cancelAll() {
    int count = heldCount();
    synchronized (this) {
      if (!isCancelling) {
        return count == 0 ? 0 : Errno.EALREADY.result();
      }
    }
    for (int i = 0; i < count; i++) {
      release(errno(Errno.ECANCELED));
    }
    return count;
  }

  /** Waits as long as the call is held. */
  private long waitFor(Call call, LongUnaryOperator made) {
    var result = new CompletableFuture<Long>();
    answer(call, made, result::complete);
    return result.join();
  }

  private static long byteSize(MemorySegment vectors, int count) {
    long size = 0;
    for (int i = 0; i < count; i++) {
      size += vectors.getAtIndex(ValueLayout.JAVA_LONG, 2L * i + 1);
    }
    return size;
  }

  /** A list of pieces of memory that ends after so many bytes. */
  private static MemorySegment cut(MemorySegment vectors, int count, long most, Arena arena) {
    var shorter = arena.allocate(16L * count, Long.BYTES);
    shorter.copyFrom(vectors.asSlice(0, 16L * count));
    long left = most;
    for (int i = 0; i < count; i++) {
      long length = Math.min(left, shorter.getAtIndex(ValueLayout.JAVA_LONG, 2L * i + 1));
      shorter.setAtIndex(ValueLayout.JAVA_LONG, 2L * i + 1, length);
      left -= length;
    }
    return shorter;
  }

  private static Call transfer(Kind kind, int fd, MemorySegment vectors, int count, long offset) {
    return new Call(kind, fd, offset, byteSize(vectors, count), 0, count);
  }

  /** Reads pieces as {@link #preadv}; the result may come later. */
  void read(int fd, MemorySegment vectors, int count, long offset, Consumer<Long> ended) {
    answer(
        transfer(Kind.READ, fd, vectors, count, offset),
        most -> {
          try (var arena = Arena.ofConfined()) {
            return super.preadv(fd, cut(vectors, count, most, arena), count, offset);
          }
        },
        ended);
  }

  /** Writes pieces as {@link #pwritev}; the result may come later. */
  void write(int fd, MemorySegment vectors, int count, long offset, Consumer<Long> ended) {
    answer(
        transfer(Kind.WRITE, fd, vectors, count, offset),
        most -> {
          try (var arena = Arena.ofConfined()) {
            return super.pwritev(fd, cut(vectors, count, most, arena), count, offset);
          }
        },
        ended);
  }

  /** As {@link #synchronizeData}, of a part; the result may come later. */
  void synchronizeData(int fd, long offset, long length, Consumer<Long> ended) {
    var call = new Call(Kind.SYNC, fd, offset, length, 0, 0);
    answer(call, _ -> super.synchronizeData(fd), ended);
  }

  /** As {@link #allocate}; the result may come later. */
  void allocate(int fd, int mode, long offset, long length, Consumer<Long> ended) {
    var call = new Call(Kind.ALLOCATE, fd, offset, length, mode, 0);
    answer(call, _ -> super.allocate(fd, mode, offset, length), ended);
  }

  @Override
  public long preadv(int fd, MemorySegment vectors, int count, long offset) {
    var result = new CompletableFuture<Long>();
    read(fd, vectors, count, offset, result::complete);
    return result.join();
  }

  @Override
  public long pwritev(int fd, MemorySegment vectors, int count, long offset) {
    var result = new CompletableFuture<Long>();
    write(fd, vectors, count, offset, result::complete);
    return result.join();
  }

  @Override
  public int synchronizeData(int fd) {
    var call = new Call(Kind.SYNC, fd, 0, 0, 0, 0);
    return (int) waitFor(call, _ -> super.synchronizeData(fd));
  }

  @Override
  public int allocate(int fd, int mode, long offset, long byteSize) {
    var result = new CompletableFuture<Long>();
    allocate(fd, mode, offset, byteSize, result::complete);
    return (int) (long) result.join();
  }

  @Override
  public synchronized long fileSize(int fd) {
    return claimedSize >= 0 ? claimedSize : super.fileSize(fd);
  }

  @Override
  public int ioUringSetup(int entries, MemorySegment params) {
    var ring = new EmulatedRing(this, entries, params);
    int fd = eventFd(0, 0); // a number that nothing else has
    rings.put(fd, ring);
    return fd;
  }

  @Override
  public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
    var refusal = refusedEnters.poll();
    return refusal != null ? refusal : ring(fd).enter(toSubmit);
  }

  @Override
  public int ioUringRegister(int fd, int operation, MemorySegment argument, int count) {
    return ring(fd).register(operation, argument);
  }

  private EmulatedRing ring(int fd) {
    var ring = rings.get(fd);
    if (ring == null) {
      throw new AssertionError("descriptor " + fd + " is no ring");
    }
    return ring;
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    var ring = rings.get(fd);
    if (ring == null) {
      return super.mmap(byteSize, protection, flags, fd, offset);
    }
    long address = ring.address(offset, byteSize);
    mappings.put(address, ring);
    return address;
  }

  @Override
  public int munmap(long address, long byteSize) {
    return mappings.remove(address) == null ? super.munmap(address, byteSize) : 0;
  }

  @Override
  public int close(int fd) {
    var ring = rings.remove(fd);
    if (ring != null) {
      ring.close();
    }
    return super.close(fd);
  }
}
